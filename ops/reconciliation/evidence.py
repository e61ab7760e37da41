"""A finding's evidence as a person reads it: names in words, amounts in the asset's unit."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ledger.models import Account, Asset
from ledger.money import to_text
from ops.reconciliation.models import Finding
from payments.models import Payment

# Of these a text of digits is an amount in minor units; a number is a count.
AMOUNTS = {
    "balance", "balances", "last_balance_after", "balance_after", "held", "available", "available_at_least",
    "balance_after_at_least", "spent", "captured", "refunded", "net", "debits", "credits", "amount", "entries",
}  # fmt: skip
NAMES = {
    "seq": "Number of the latest entry", "last_balance_after": "Balance after the latest entry",
    "available_at_least": "Available at least", "balance_after_at_least": "Balance after at least",
    "authorizations": "Open authorizations", "legs": "Legs there", "told": "Told in the log", "net": "Net change",
    "open": "Account is open", "reason": "Has a reason", "expires_at": "Expires",
}  # fmt: skip


def asset_of(finding: Finding) -> Asset | None:
    """Return the asset whose amounts the evidence has; None where that cannot be told."""
    subject = finding.subject_id
    if finding.subject_type == "asset":
        return Asset.objects.filter(code=subject).first()
    account = subject.rpartition(" ")[2] if finding.subject_type in ("account day", "wallet day") else subject
    if finding.subject_type in ("account", "wallet", "account day", "wallet day"):
        return Asset.objects.filter(pk__in=Account.objects.filter(pk__in=_ids(account)).values("asset")).first()
    if finding.subject_type in ("payment", "transaction"):
        return Asset.objects.filter(pk__in=Payment.objects.filter(pk__in=_ids(subject)).values("asset")).first()
    if finding.subject_type == "figure":
        words = subject.split(" ")
        return Asset.objects.filter(code__in=words).first()
    return None


def sides(finding: Finding) -> list[tuple[str, str, str]]:
    """Return each name in the evidence in words, what was expected of it, and what is there."""
    expected, actual = finding.evidence["expected"], finding.evidence["actual"]
    asset = asset_of(finding)
    return [
        (name_of(name), _told(expected, name, asset), _told(actual, name, asset))
        for name in dict.fromkeys([*expected, *actual])
    ]


def name_of(name: str) -> str:
    return NAMES.get(name, name.replace("_", " ").capitalize() if name.islower() else name)


def _told(side: dict[str, Any], name: str, asset: Asset | None) -> str:
    if name not in side:
        return ""
    value = side[name]
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "nothing"
    if isinstance(value, list):
        return "; ".join(_posting(one, asset) for one in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {count}" for key, count in value.items()) or "nothing"
    if isinstance(value, str) and asset is not None and (name in AMOUNTS or name == asset.code) and _is_whole(value):
        return f"{to_text(int(value), asset.scale)}\N{NO-BREAK SPACE}{asset.code}"
    return str(value)


def _posting(value: Any, asset: Asset | None) -> str:
    """``DEBIT <account> 400`` as ``Debit of …<account>: 4.00 EUR``."""
    words = str(value).split(" ")
    if len(words) != 3 or asset is None or not _is_whole(words[2]):
        return str(value)
    amount = to_text(int(words[2]), asset.scale)
    return f"{words[0].capitalize()} of …{words[1][-12:]}: {amount}\N{NO-BREAK SPACE}{asset.code}"


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()


def _ids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
