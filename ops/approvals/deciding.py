"""The second person: approve exactly what was proposed, or reject it."""

from __future__ import annotations

from uuid import UUID

from django.db.transaction import atomic

from ledger import clock
from ops.approvals.actions import ACTIONS
from ops.approvals.executing import execute_approved
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.steps import entitled, locked, move, still_pending
from ops.approvals.targets import changes, read_target, state_of
from walletplatform.audit.actors import of_staff
from walletplatform.failpoints import fail_point
from walletplatform.identity.models import Client, User


def approve(*, checker: User, approval_id: UUID, seen: str, note: str = "") -> Approval:
    """
    Approve a request and do what it asks for; ``seen`` is the ``payload_sha256`` of what the checker was shown.

    It comes back EXECUTED, FAILED, or, where the platform could not do it now, APPROVED: the sweep tries again.

    :raises Refused: ``not_found``, ``forbidden``, ``own_request``, ``not_pending``, ``expired``, ``tampered``,
        ``maker_lost_right``, ``target_changed``
    """
    _mark_approved(checker, approval_id, seen, note.strip())
    fail_point("approval.approved")
    return execute_approved(approval_id)


@atomic(durable=True)
def _mark_approved(checker: User, approval_id: UUID, seen: str, note: str) -> None:
    approval = _decidable(checker, approval_id)
    now = clock.now()
    if approval.expires_at <= now:
        raise Refused("expired", "The request has expired: it must be made again.")
    if not approval.payload_sha256 == approval.digest() == seen:
        raise Refused("tampered", "This is not what was proposed and shown. Tell whoever runs the platform.")
    if not maker_still_may(approval):
        raise Refused("maker_lost_right", f"{approval.maker_name} may not ask for this any more.")
    differences = changes(approval.expected, state_of(read_target(approval.target_type, approval.target_id)))
    if differences:
        raise Refused("target_changed", f"The {approval.target_type} has changed since the request: {differences}.")
    move(
        approval, Approval.State.APPROVED, of_staff(checker), "approve", reason=note,
        decided_by=checker.pk, decided_by_name=checker.username, decided_at=now, note=note,
    )  # fmt: skip


@atomic(durable=True)
def reject(*, checker: User, approval_id: UUID, note: str) -> Approval:
    """
    Reject a request; the note tells its maker why.

    :raises Refused: ``not_found``, ``forbidden``, ``own_request``, ``not_pending``, ``invalid`` without a note
    """
    approval, note = _decidable(checker, approval_id), note.strip()
    if not note:
        raise Refused("invalid", "Say why in a note.")
    return move(
        approval, Approval.State.REJECTED, of_staff(checker), "reject", reason=note,
        decided_by=checker.pk, decided_by_name=checker.username, decided_at=clock.now(), note=note,
    )  # fmt: skip


def _decidable(checker: User, approval_id: UUID) -> Approval:
    approval = locked(approval_id)
    entitled(checker, ACTIONS[approval.action].decided_by)
    if approval.maker_id == checker.pk:
        raise Refused("own_request", "You made this request: somebody else decides about it.")
    still_pending(approval)
    return approval


def maker_still_may(approval: Approval) -> bool:
    """Whether who asked could ask for it today; of clients, those that we know."""
    if approval.maker_kind == "client":
        return not Client.objects.filter(pk=approval.maker_id, active=False).exists()
    maker = User.objects.filter(pk=approval.maker_id, is_active=True, is_staff=True).first()
    return maker is not None and maker.has_perm(ACTIONS[approval.action].asked_by)
