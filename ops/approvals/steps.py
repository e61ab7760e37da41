"""What every step of an approval has in common: the lock, the right, the state, and the audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record
from walletplatform.identity.models import User


def entitled(user: User, permission: str) -> None:
    """:raises Refused: ``forbidden``"""
    if not (user.is_active and user.is_staff and user.has_perm(permission)):
        raise Refused("forbidden", "Your role does not allow this.")


def somebody_else(permission: str, besides: UUID) -> bool:
    """Whether anybody but ``besides`` holds a right."""
    holders = User.objects.with_perm(permission, backend="django.contrib.auth.backends.ModelBackend")
    return holders.filter(is_staff=True).exclude(pk=besides).exists()


def locked(approval_id: UUID) -> Approval:
    """
    Return an approval that nobody else moves meanwhile.

    :raises Refused: ``not_found``
    """
    approval = Approval.objects.select_for_update().filter(pk=approval_id).first()
    if approval is None:
        raise Refused("not_found", "There is no such request.")
    return approval


def still_pending(approval: Approval) -> None:
    """:raises Refused: ``not_pending``"""
    if approval.state != Approval.State.PENDING:
        raise Refused("not_pending", f"It is {approval.state} by now.")


def move(approval: Approval, state: str, actor: Actor, step: str, *, reason: str = "", **changes: Any) -> Approval:
    """Take an approval to ``state`` with ``changes`` of its fields, and tell so in the audit trail."""
    before = {"state": approval.state}
    approval.state = state
    for name, value in changes.items():
        setattr(approval, name, value)
    approval.save(update_fields=["state", *changes])
    audit(approval, actor, step, before=before, reason=reason)
    return approval


def audit(approval: Approval, actor: Actor, step: str, *, before: Mapping[str, Any] | None, reason: str = "") -> None:
    record(
        actor=actor,
        action=f"approval.{step}",
        object_type="approval",
        object_id=approval.pk,
        before=before,
        after={
            "state": approval.state,
            "action": approval.action,
            "target": f"{approval.target_type} {approval.target_id}",
            "payload": approval.payload,
            "payload_sha256": approval.payload_sha256,
            "result": approval.result,
        },
        reason=reason,
    )
