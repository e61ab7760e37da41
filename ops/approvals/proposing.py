"""Ask for what needs a second person, or take the question back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.transaction import atomic
from psycopg import errors

from ledger import clock
from ledger.ids import id_maker
from ops.approvals.actions import ACTIONS
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.steps import audit, entitled, locked, move, still_pending
from ops.approvals.targets import read_target, state_of
from walletplatform.audit.actors import of_staff
from walletplatform.identity.models import User

SHORTEST_REASON, LONGEST_REASON = 10, 200
ONE_OPEN = "approvals_one_open"


def propose(*, maker: User, action: str, target_id: UUID, reason: str, **given: Any) -> Approval:
    """
    Ask for ``action`` on a payment or wallet. ``given``: a refund's ``amount`` (Decimal), a review's ``approve``.

    :raises Refused: ``forbidden``, ``not_found``, ``invalid`` for what cannot be asked for as things are,
        ``already_open`` where the same is being asked for
    """
    try:
        return _propose(maker, action, target_id, reason.strip(), given)
    except IntegrityError as error:
        cause = error.__cause__
        if isinstance(cause, errors.UniqueViolation) and cause.diag.constraint_name == ONE_OPEN:
            raise Refused("already_open", "Somebody has asked for this already, and it is not decided.") from error
        raise


@atomic(durable=True)
def _propose(maker: User, name: str, target_id: UUID, reason: str, given: dict[str, Any]) -> Approval:
    entitled(maker, "ops.propose_approval")
    if not SHORTEST_REASON <= len(reason) <= LONGEST_REASON:
        raise Refused("invalid", f"Give a reason of {SHORTEST_REASON} to {LONGEST_REASON} characters.")
    action = ACTIONS[name]
    target = read_target(action.target_type, target_id)
    if why_not := action.why_not(target):
        raise Refused("invalid", why_not)
    payload, amount_minor = action.make_payload(target, given)
    now = clock.now()
    approval = Approval(
        id=id_maker(at=now)(), action=name, target_type=action.target_type, target_id=target_id, payload=payload,
        expected=state_of(target), amount_minor=amount_minor, asset=target.asset_id, reason=reason,
        maker_id=maker.pk, maker_name=maker.username, created_at=now, expires_at=now + action.lasts,
    )  # fmt: skip
    approval.payload_sha256 = approval.digest()
    approval.save(force_insert=True)
    audit(approval, of_staff(maker), "propose", before=None, reason=reason)
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
