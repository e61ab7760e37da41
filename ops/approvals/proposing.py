"""Ask for what needs a second person, or take the question back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.transaction import atomic
from psycopg import errors

from ledger import clock
from ledger.ids import id_maker
from ops.approvals.actions import ACTIONS, Action
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.steps import audit, entitled, locked, move, somebody_else, still_pending
from ops.approvals.targets import read_target, state_of
from walletplatform.audit.actors import Actor, of_staff
from walletplatform.identity.models import User

SHORTEST_REASON, LONGEST_REASON = 10, 200
ONE_OPEN = "approvals_one_open"


def propose(*, maker: User, action: str, target_id: UUID, reason: str, **given: Any) -> Approval:
    """
    Ask for ``action`` on its target. ``given``: a refund's ``amount`` (Decimal), a review's ``approve``, a person's new
    ``roles``; what adjustments, overdrafts and limits need is told in ``ops.approvals.adjusting`` and ``allowing``.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid`` for what cannot be asked for as things are,
        ``no_checker`` where nobody could decide, ``already_open`` where the same is being asked for
    """
    with atomic(durable=True):
        return propose_here(maker=maker, action=action, target_id=target_id, reason=reason, **given)


def propose_here(*, maker: User, action: str, target_id: UUID, reason: str, **given: Any) -> Approval:
    """
    The same, as a part of the transaction that is open.

    :raises Refused: as ``propose``
    """
    try:
        with atomic():
            return _propose(maker, ACTIONS[action], target_id, reason, given)
    except IntegrityError as error:
        cause = error.__cause__
        if isinstance(cause, errors.UniqueViolation) and cause.diag.constraint_name == ONE_OPEN:
            raise Refused("already_open", "Somebody has asked for this already, and it is not decided.") from error
        raise


def _propose(maker: User, action: Action, target_id: UUID, reason: str, given: Mapping[str, Any]) -> Approval:
    entitled(maker, action.asked_by)
    return ask(actor=of_staff(maker), action=action, target_id=target_id, reason=reason, given=given)


def ask(*, actor: Actor, action: Action, target_id: UUID, reason: str, given: Mapping[str, Any]) -> Approval:
    """
    Ask in the caller's transaction, which has checked that ``actor`` may: a member of staff, or a client system.

    :raises Refused: as ``propose``, but for ``already_open``, which is an IntegrityError of ``ONE_OPEN``
    """
    approval = drafted(actor=actor, action=action, target_id=target_id, reason=reason, given=given)
    approval.save(force_insert=True)
    audit(approval, actor, "propose", before=None, reason=approval.reason)
    return approval


def drafted(*, actor: Actor, action: Action, target_id: UUID, reason: str, given: Mapping[str, Any]) -> Approval:
    """
    Return the request that this would be, which nobody has made yet.

    :raises Refused: as ``ask``
    """
    assert actor.id is not None
    reason = reason.strip()
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise Refused("invalid", f"Give a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters.")
    target = read_target(action.target_type, target_id)
    if why_not := action.why_not(target):
        raise Refused("invalid", why_not)
    if not somebody_else(action.decided_by, actor.id):
        raise Refused("no_checker", "Nobody else may approve this: an administrator gives somebody the role for it.")
    payload, amount_minor = action.make_payload(target, given)
    now = clock.now()
    approval = Approval(
        id=id_maker(at=now)(), action=action.name, target_type=action.target_type, target_id=target_id,
        payload=payload, expected=state_of(target), amount_minor=amount_minor, asset=getattr(target, "asset_id", ""),
        reason=reason, maker_kind=actor.kind, maker_id=actor.id, maker_name=actor.name, created_at=now,
        expires_at=now + action.lasts,
    )  # fmt: skip
    approval.payload_sha256 = approval.digest()
    return approval


@atomic(durable=True)
def cancel(*, maker: User, approval_id: UUID) -> Approval:
    """
    Take one's own question back.

    :raises Refused: ``not_found``, ``forbidden`` for another's, ``not_pending``
    """
    approval = locked(approval_id)
    if approval.maker_id != maker.pk or not maker.is_active:
        raise Refused("forbidden", "Only who made the request takes it back.")
    still_pending(approval)
    return move(approval, Approval.State.CANCELLED, of_staff(maker), "cancel")
