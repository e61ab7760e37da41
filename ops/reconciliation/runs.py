"""
Runs: asked for or scheduled, executed, put on record.

The row is the job. A message or a tick only wakes somebody, who executes what is RUNNING and nobody is at; so a run
whose worker died is taken up again at the next tick. Somebody is at it while its lock is taken.
"""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

from django.db.models import Max
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.approvals.steps import entitled
from ops.reconciliation.comparing import AtWork, Progress, compare, lock
from ops.reconciliation.freezing import freeze_what_is_wrong
from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.recording import give_up, record
from ops.reconciliation.scopes import Scope, Span, WholeLedger
from walletplatform.audit.actors import Actor, of_staff
from walletplatform.audit.trail import record as audit
from walletplatform.identity.models import User

logger = logging.getLogger(__name__)

Kind, State = ReconciliationRun.Kind, ReconciliationRun.State
# One on which a worker died so often is the reason for it.
TRIES = 3


def ask(kind: str, *, slot: datetime | None = None) -> ReconciliationRun | None:
    """Make a run, to be executed; None where its slot has one already."""
    now = clock.now()
    run = ReconciliationRun(id=id_maker(at=now)(), kind=kind, slot=slot, started_at=now)
    ReconciliationRun.objects.bulk_create([run], ignore_conflicts=True)
    return ReconciliationRun.objects.filter(id=run.id).first()


def ask_by(*, user: User, kind: str) -> ReconciliationRun:
    """
    Make a run for somebody of the staff.

    :raises Refused: ``forbidden``
    """
    entitled(user, "ops.run_reconciliation")
    return ask_for(actor=of_staff(user), kind=kind)


@atomic
def ask_for(*, actor: Actor, kind: str) -> ReconciliationRun:
    """Make a run for somebody who may have it."""
    run = ask(kind)
    assert run is not None  # it has no slot that could be taken
    audit(actor=actor, action="reconciliation.run", object_type="reconciliation", object_id=run.pk,
          after={"kind": kind})  # fmt: skip
    return run


def ask_for_slot(kind: str) -> ReconciliationRun | None:
    """Make the run of this hour (incremental) or of this day in UTC (full); None where there is one already."""
    slot = clock.now().replace(minute=0, second=0, microsecond=0)
    return ask(kind, slot=slot.replace(hour=0) if kind == Kind.FULL else slot)


def execute_waiting() -> None:
    """Execute what was asked for and nobody is at, the oldest first."""
    for run_id in ReconciliationRun.objects.filter(state=State.RUNNING).order_by("id").values_list("id", flat=True):
        execute(run_id)


def execute(run_id: UUID, *, on_progress: Progress = lambda what, done, about: None) -> ReconciliationRun:
    """
    Execute a run and return it as it is then: finished, or RUNNING where somebody else is at it.

    What goes wrong is on record too, as FAILED: the next one begins where the last one that came to an end did.
    """
    run = _begin(run_id)
    if run is not None:
        try:
            result = compare(
                lambda head: _scope(run, head), run=run_id, known_head=_known_head(), on_progress=on_progress
            )
            record(run_id, result)
            freeze_what_is_wrong()
        except AtWork:
            pass
        except Exception as error:
            logger.exception("Reconciliation %s failed", run_id)
            give_up(run_id, f"{type(error).__name__}: {error}")
    return ReconciliationRun.objects.get(id=run_id)


def latest_finished() -> ReconciliationRun | None:
    """Return the run that finished last with a result."""
    return ReconciliationRun.objects.filter(state__in=[State.CLEAN, State.FINDINGS]).order_by("-id").first()


@atomic(durable=True)
def _begin(run_id: UUID) -> ReconciliationRun | None:
    """Return the run, one try later; None where nothing is to be done now."""
    if not lock(run_id):
        return None
    run = ReconciliationRun.objects.select_for_update().get(id=run_id)
    if run.state != State.RUNNING:
        return None
    if run.tries < TRIES:
        run.tries += 1
        run.save(update_fields=["tries"])
        return run
    run.state, run.error, run.finished_at = State.FAILED, f"Given up after {TRIES} tries.", clock.now()
    run.save(update_fields=["state", "error", "finished_at"])
    return None


def _scope(run: ReconciliationRun, head: int) -> Scope:
    return WholeLedger(head) if run.kind == Kind.FULL else Span(min(_known_head(), head), head)


def _known_head() -> int:
    """Up to where the log was compared by any run: the next one begins there."""
    done = ReconciliationRun.objects.filter(state__in=[State.CLEAN, State.FINDINGS])
    return done.aggregate(known=Max("to_position"))["known"] or 0
