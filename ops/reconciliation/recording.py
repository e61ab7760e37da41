"""Put on record what a run came to: its result and its findings, in one transaction."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import orjson
from django.db import connection
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.alerts.raising import raise_alert
from ops.reconciliation.comparing import Result
from ops.reconciliation.kinds import kind_of
from ops.reconciliation.models import Finding, ReconciliationRun
from walletplatform.audit.actors import of_job
from walletplatform.audit.trail import record as audit

State = ReconciliationRun.State

# In one order, so that two runs that end together wait in line. What was explained was this evidence, no other.
_SEEN = """
    INSERT INTO reconciliation_findings AS known
           (id, kind, subject_type, subject_id, evidence, state, owner, note,
            run_id, last_run_id, first_seen, last_seen)
    SELECT n.id, n.kind, n.subject_type, n.subject_id, n.evidence, 'OPEN', '', '',
           %(run)s, %(run)s, %(now)s, %(now)s
      FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(types)s::text[], %(subjects)s::text[], %(evidence)s::jsonb[])
           AS n (id, kind, subject_type, subject_id, evidence)
     ORDER BY n.kind, n.subject_type, n.subject_id
    ON CONFLICT (kind, subject_type, subject_id) WHERE NOT (state = 'RESOLVED') DO UPDATE
       SET last_run_id = excluded.last_run_id, last_seen = greatest(known.last_seen, excluded.last_seen),
           evidence = excluded.evidence,
           state = CASE WHEN known.evidence = excluded.evidence THEN known.state ELSE 'OPEN' END,
           frozen_at = CASE WHEN known.evidence = excluded.evidence THEN known.frozen_at END
"""


@atomic(durable=True)
def record(run_id: UUID, result: Result) -> None:
    """Finish a run with its result; nothing where another worker has finished it meanwhile."""
    run = ReconciliationRun.objects.select_for_update().get(id=run_id)
    if run.state != State.RUNNING:
        return
    now = clock.now()
    explained = Finding.objects.select_for_update().filter(state=Finding.State.EXPLAINED).order_by("id")
    were_explained = list(explained.values_list("id", flat=True))
    if result.differences:
        new_id, found = id_maker(at=now), list(result.differences.values())
        with connection.cursor() as cursor:
            cursor.execute(
                _SEEN,
                {
                    "run": run_id,
                    "now": now,
                    "ids": [new_id() for _ in found],
                    "kinds": [one.kind for one in found],
                    "types": [one.subject_type for one in found],
                    "subjects": [one.subject_id for one in found],
                    "evidence": [orjson.dumps(one.evidence).decode() for one in found],
                },
            )
    _tell_reopened(run, were_explained)
    if run.kind == ReconciliationRun.Kind.FULL:
        _resolve_what_is_gone(run, result)
    _alert(run)
    run.state = State.FINDINGS if result.differences else State.CLEAN
    run.from_position, run.to_position = result.after, result.upto
    run.checked, run.found, run.truncated = dict(result.checked), dict(result.found), result.truncated
    run.finished_at = now
    run.save(update_fields=["state", "from_position", "to_position", "checked", "found", "truncated", "finished_at"])


def _tell_reopened(run: ReconciliationRun, explained: list[UUID]) -> None:
    reopened = Finding.objects.filter(id__in=explained, state=Finding.State.OPEN).order_by("id")
    for id in reopened.values_list("id", flat=True):
        audit(
            actor=of_job("reconciliation"), action="finding.reopen", object_type="finding", object_id=id,
            before={"state": Finding.State.EXPLAINED}, after={"state": Finding.State.OPEN},
            reason=f"Run {run.id} has found other evidence.",
        )  # fmt: skip


def _alert(run: ReconciliationRun) -> None:
    """Alert about what is serious and nobody has explained: once for a kind, however many there are."""
    seen = Finding.objects.filter(last_run=run, state=Finding.State.OPEN)
    counts = Counter(kind for kind in seen.values_list("kind", flat=True) if kind_of(kind).serious)
    for kind, count in sorted(counts.items()):
        raise_alert(
            type="ledger_inconsistency", fingerprint=kind, severity="critical", title=kind_of(kind).title,
            detail=f"{kind_of(kind).means} Places: {count}. {kind_of(kind).do}", subject_type="reconciliation",
            subject_id=str(run.pk), value=str(count),
        )  # fmt: skip


def _resolve_what_is_gone(run: ReconciliationRun, result: Result) -> None:
    """Close what this run, over everything, does not see, and nobody has seen since it began."""
    gone = Finding.objects.select_for_update().exclude(state=Finding.State.RESOLVED).exclude(kind__in=result.unsure)
    for finding in gone.exclude(last_run=run).filter(last_seen__lt=run.started_at).order_by("id"):
        before = {"state": finding.state}
        finding.state = Finding.State.RESOLVED
        finding.save(update_fields=["state"])
        audit(
            actor=of_job("reconciliation"), action="finding.resolve", object_type="finding", object_id=finding.pk,
            before=before, after={"state": finding.state},
            reason=f"Run {run.pk} over everything does not see it any more.",
        )  # fmt: skip


@atomic(durable=True)
def give_up(run_id: UUID, error: str) -> None:
    """Finish a run without a result."""
    ReconciliationRun.objects.filter(id=run_id, state=State.RUNNING).update(
        state=State.FAILED, error=error[:500], finished_at=clock.now()
    )
