"""What needs two people, asked for by one and approved by another."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from ops.approvals.deciding import approve
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from payments.limiting import Bounds, lower_limits
from tests.ops.staff import person
from walletplatform.identity.models import User
from walletplatform.identity.principal import staff
from wallets.models import Wallet
from wallets.representation import etag

REASON = "as agreed with the customer"


def somebody(role: str) -> User:
    """One for all, as far as the database at hand knows them: it may be another of the same name."""
    found = User.objects.filter(username=f"somebody-{role}").first()
    if found is None:
        found = person(role)
        User.objects.filter(pk=found.pk).update(username=f"somebody-{role}")
        found.refresh_from_db()
    return found


def ask(action: str, target: object, **given: Any) -> Approval:
    somebody("approver")  # nothing is asked for that nobody could decide about
    return propose(maker=somebody("finance"), action=action, target_id=UUID(str(target)), reason=REASON, **given)


def approved(approval: Approval) -> Approval:
    return approve(checker=somebody("approver"), approval_id=approval.pk, seen=approval.payload_sha256)


def allow(action: str, target: object, **given: Any) -> Approval:
    """Ask for it and have it approved; it must come about."""
    done = approved(ask(action, target, **given))
    assert done.state == "EXECUTED", done.result
    return done


def overdraft(wallet: object, amount: str) -> Approval:
    return allow("wallet.overdraft", wallet, amount=Decimal(amount))


def limit(wallet: str, *, per_payment: int | None = None, per_day: int | None = None) -> None:
    """Set limits, in minor units, as one person may."""
    lower_limits(
        principal=staff(uuid4()), wallet_id=wallet, wanted=Bounds(per_payment, per_day),  # type: ignore[arg-type]
        reason=REASON, expected_etag=etag(Wallet.objects.get(pk=wallet)),
    )  # fmt: skip
