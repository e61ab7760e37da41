"""What approvals are about: payments and wallets, and the state they were in when somebody looked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ops.approvals.refusing import Refused
from payments.models import Payment
from wallets.models import Wallet

Target = Payment | Wallet


def read_target(target_type: str, target_id: UUID) -> Target:
    """
    Return the payment or wallet, with its asset.

    :raises Refused: ``not_found``
    """
    target: Target | None
    if target_type == "payment":
        target = Payment.objects.select_related("asset").filter(pk=target_id).first()
    else:
        target = Wallet.objects.select_related("asset").filter(pk=target_id).first()
    if target is None:
        raise Refused("not_found", f"There is no such {target_type}.")
    return target


def state_of(target: Target) -> dict[str, Any]:
    """Return what must be the same still when the second person decides."""
    if isinstance(target, Wallet):
        return {"status": target.status, "version": target.version}
    return {
        "status": target.status,
        "authorized_amount": target.authorized_amount,
        "captured_amount": target.captured_amount,
        "refunded_amount": target.refunded_amount,
    }


def changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return what differs, for a person: ``status: SETTLED -> VOIDED``; empty where nothing does."""
    return ", ".join(
        f"{name.replace('_', ' ')}: {before.get(name)} -> {now.get(name)}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )
