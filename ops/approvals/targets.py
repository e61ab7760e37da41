"""What approvals are about: money, findings, people and client systems, and the state in which somebody saw them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ledger.models import Account
from ops.approvals.refusing import Refused
from ops.reconciliation import handling
from ops.reconciliation.models import Finding
from payments.models import Payment
from walletplatform.identity.models import Client, User
from wallets.models import Wallet

Target = Payment | Wallet | Account | Finding | User | Client


def read_target(target_type: str, target_id: UUID) -> Target:
    """
    Return the payment, wallet or system account, with its asset (a wallet with its account), or the finding, person or
    client.

    :raises Refused: ``not_found``
    """
    target: Target | None
    if target_type == "payment":
        target = Payment.objects.select_related("asset").filter(pk=target_id).first()
    elif target_type == "finding":
        target = Finding.objects.filter(pk=target_id).first()
    elif target_type == "wallet":
        target = Wallet.objects.select_related("asset", "account").filter(pk=target_id).first()
    elif target_type == "user":
        target = User.objects.filter(pk=target_id).first()
    elif target_type == "client":
        target = Client.objects.filter(pk=target_id).first()
    else:
        target = Account.objects.select_related("asset").exclude(kind="wallet").filter(pk=target_id).first()
    if target is None:
        raise Refused("not_found", f"There is no such {target_type}.")
    return target


def state_of(target: Target) -> dict[str, Any]:
    """Return what must be the same still when the second person decides."""
    if isinstance(target, Finding):
        return handling.state_of(target)
    if isinstance(target, Wallet):
        return {"status": target.status, "version": target.version}
    if isinstance(target, Account):
        return {"account": target.kind}
    if isinstance(target, User):
        roles = sorted(target.groups.values_list("name", flat=True))
        return {"active": target.is_active, "staff": target.is_staff, "roles": roles}
    if isinstance(target, Client):
        digest = bytes(target.secret_hash).hex()[:16]
        return {"active": target.active, "scopes": target.scopes, "assets": target.assets, "secret_sha256": digest}
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
