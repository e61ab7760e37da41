"""
Do what was approved, once, whatever breaks on the way.

The money path has a connection and a transaction of its own, so an approval is marked APPROVED and committed first,
carried out under its own key then, and marked with what came of it last. Where that is cut short at any point, the
sweep does the same again: the key makes it the same effect.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.db.transaction import atomic

from ledger import clock
from ops.approvals.actions import ACTIONS
from ops.approvals.models import Approval
from ops.approvals.results import Result
from ops.approvals.steps import locked, move
from walletplatform.api.problems import CATALOGUE, Problem
from walletplatform.audit.actors import of_job
from walletplatform.failpoints import fail_point

logger = logging.getLogger(__name__)
# Whoever approved it is carrying it out for so long.
PATIENCE = timedelta(minutes=1)
# What was approved so long ago and still breaks, in a way that nobody foresaw, is to be asked for anew.
GIVEN_UP_AFTER = timedelta(days=1)


def execute_approved(approval_id: UUID) -> Approval:
    """Carry an approval out and return it as it is then; one that is not APPROVED is left alone."""
    approval = Approval.objects.get(pk=approval_id)
    if approval.state != Approval.State.APPROVED:
        return approval
    try:
        result = _carry_out(approval)
    except (InterfaceError, OperationalError) as error:
        logger.warning("Approval %s is not carried out now: %s", approval_id, str(error).strip())
        return approval
    except Exception as error:
        logger.exception("Approval %s broke", approval_id)
        assert approval.decided_at is not None
        if approval.decided_at > clock.now() - GIVEN_UP_AFTER:
            return approval
        # Had it happened, its key would have told: nothing came of it.
        result = Result(False, {"code": "broken", "detail": type(error).__name__})
    if result is None:
        return approval
    fail_point("approval.executed")
    return _finish(approval_id, result)


def _carry_out(approval: Approval) -> Result | None:
    """What came of it; None where it could not be done, or known, now."""
    if approval.digest() != approval.payload_sha256:
        return Result(False, {"code": "tampered", "detail": "This is not what was approved."})
    try:
        return ACTIONS[approval.action].carry_out(approval)
    except Problem as problem:
        if CATALOGUE[problem.code].retryable:
            logger.warning("Approval %s is not carried out now: %s", approval.pk, problem)
            return None
        return Result(False, {"status": problem.status, "code": problem.code, "detail": problem.detail})


@atomic(durable=True)
def _finish(approval_id: UUID, result: Result) -> Approval:
    approval = locked(approval_id)
    if approval.state != Approval.State.APPROVED:
        return approval  # the sweep and its approver came here both
    state, step = (Approval.State.EXECUTED, "execute") if result.done else (Approval.State.FAILED, "fail")
    return move(approval, state, of_job("approvals"), step, executed_at=clock.now(), result=result.answer)


def sweep(*, patience: timedelta = PATIENCE) -> int:
    """Carry out what was approved ``patience`` ago or longer and never came to an end; return how many ended."""
    since = clock.now() - patience
    left = Approval.objects.filter(state=Approval.State.APPROVED, decided_at__lte=since).order_by("decided_at", "id")
    ended = 0
    for approval_id in list(left.values_list("pk", flat=True)):
        try:
            ended += execute_approved(approval_id).state != Approval.State.APPROVED
        except Exception:  # one whose outcome cannot be written holds up no other, and is tried again
            logger.exception("What came of approval %s is not written", approval_id)
    return ended


def expire() -> int:
    """End the requests that nobody decided about in time; return how many."""
    due = Approval.objects.filter(state=Approval.State.PENDING, expires_at__lte=clock.now()).order_by("expires_at")
    return sum(_expire(approval_id) for approval_id in list(due.values_list("pk", flat=True)))


@atomic(durable=True)
def _expire(approval_id: UUID) -> bool:
    # Somebody who holds it is deciding about it, and will be told that it is too late.
    found = Approval.objects.select_for_update(skip_locked=True).filter(pk=approval_id)
    approval = found.filter(state=Approval.State.PENDING).first()
    if approval is None:
        return False
    move(approval, Approval.State.EXPIRED, of_job("approvals"), "expire")
    return True
