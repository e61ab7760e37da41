"""
Adjustments: an amount moved between a wallet and a system account of its asset, or between two of these.

``given``: ``amount`` (Decimal), ``direction`` (credit or debit of the target), ``counter`` (the other side's kind of
account, ``suspense`` unless said otherwise) and, where there is one, the ``reference`` that it is made for. Of one
target as many may be asked for at a time as there are references.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ledger.assets import SYSTEM_KINDS
from ledger.models import Account
from ledger.money import MAX_AMOUNT, to_minor, to_text
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.results import Payload
from payments.commands import Adjust
from wallets.models import Wallet

LONGEST_REFERENCE = 64


def why_not_adjust(target: Wallet | Account) -> str:
    if isinstance(target, Wallet) and target.status != Wallet.Status.ACTIVE:
        return "Only an active wallet is adjusted: no other moves money."
    return ""


def new_adjustment(target: Wallet | Account, given: Mapping[str, Any]) -> Payload:
    amount, scale = given.get("amount"), target.asset.scale
    minor = to_minor(amount, scale) if isinstance(amount, Decimal) else None
    if minor is None or not 0 < minor <= MAX_AMOUNT:
        raise Refused("invalid", f"An amount of {target.asset_id}, with {scale} decimals at most.")
    direction, counter = given.get("direction"), given.get("counter", "suspense")
    if direction not in ("credit", "debit"):
        raise Refused("invalid", "Say whether it is credited or debited.")
    if counter not in SYSTEM_KINDS or (isinstance(target, Account) and counter == target.kind):
        raise Refused("invalid", "The other side is another system account.")
    payload = {"amount": to_text(minor, scale), "direction": direction, "counter": counter}
    reference = given.get("reference") or ""
    if not isinstance(reference, str) or len(reference) > LONGEST_REFERENCE:
        raise Refused("invalid", f"A reference of {LONGEST_REFERENCE} characters at most.")
    return payload | ({"reference": reference} if reference else {}), minor


def tell_adjustment(approval: Approval) -> str:
    given = approval.payload
    target = "the wallet" if approval.target_type == "wallet" else f"the {approval.expected['account']} account"
    sides = (given["counter"] + " account", target.removeprefix("the "))
    source, end = sides if given["direction"] == "credit" else sides[::-1]
    reference = f", for {given['reference']}" if "reference" in given else ""
    return f"{given['amount']} {approval.asset} are moved from the {source} to the {end}{reference}."


def adjustment(approval: Approval, asked: Mapping[str, Any]) -> Adjust:
    """Return the command of the money path; ``asked`` says by whom and under which key."""
    given = approval.payload
    counter = Account.objects.get(asset_id=approval.asset, kind=given["counter"])
    sides = (counter.pk, approval.target_id)
    sender, receiver = sides if given["direction"] == "credit" else sides[::-1]
    metadata = {"reference": given["reference"]} if "reference" in given else {}
    return Adjust(**asked, sender_id=sender, receiver_id=receiver, amount=Decimal(given["amount"]), metadata=metadata)
