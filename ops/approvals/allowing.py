"""
What lets a wallet pay more than it may by now: an overdraft (``given``: ``amount``, a Decimal), higher limits
(``given``: ``per_payment`` and ``per_day``, Decimals; None is no limit). Their payloads keep what was ``before``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import orjson

from ledger.admin import money
from ledger.idempotency import KeyedRequest
from ledger.models import Account
from ledger.money import MAX_AMOUNT, to_minor, to_text
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.results import Payload, Result
from payments.limiting import Bounds, bounds_of, set_limits_once
from walletplatform.identity.principal import staff
from wallets.models import Wallet
from wallets.overdrafts import set_overdraft_once

LIMITS = {"per_payment": "in one payment", "per_day": "in a day (UTC)"}


def why_not_overdraw(wallet: Wallet) -> str:
    return "The wallet is closed, for good." if wallet.status == Wallet.Status.CLOSED else ""


def why_not_raise(wallet: Wallet) -> str:
    if bounds_of(wallet) == Bounds(None, None):
        return "The wallet has no limit that could be raised."
    return why_not_overdraw(wallet)


def wanted_limits(wallet: Wallet, given: Mapping[str, Any]) -> Bounds:
    """
    Return the limits asked for, in minor units.

    :raises Refused: ``invalid`` where one is no amount of the wallet's asset above 0
    """
    return Bounds(**{name: _minor(wallet, given.get(name), at_least=1) for name in LIMITS})


def _minor(wallet: Wallet, amount: Decimal | None, *, at_least: int) -> int | None:
    if amount is None:
        return None
    scale = wallet.asset.scale
    minor = to_minor(amount, scale) if isinstance(amount, Decimal) else None
    if minor is None or not at_least <= minor <= MAX_AMOUNT:
        least = to_text(at_least, scale)
        raise Refused("invalid", f"An amount of {least} {wallet.asset_id} or more, with {scale} decimals at most.")
    return minor


def new_overdraft(wallet: Wallet, given: Mapping[str, Any]) -> Payload:
    minor, scale = _minor(wallet, given.get("amount"), at_least=0), wallet.asset.scale
    if minor is None:
        raise Refused("invalid", "Say by how much the wallet may be overdrawn; 0 is not at all.")
    before = -(wallet.account.min_available or 0)
    if minor == before:
        raise Refused("invalid", "The wallet may be overdrawn by so much already.")
    # A payload's amount_minor is above 0, and what is allowed may be nothing.
    return {"overdraft": to_text(minor, scale), "before": to_text(before, scale)}, None


def new_limits(wallet: Wallet, given: Mapping[str, Any]) -> Payload:
    wanted, before = wanted_limits(wallet, given), bounds_of(wallet)
    if not wanted.allow_more_than(before):
        raise Refused("invalid", "That raises no limit: it needs no second person.")
    return {**_texts(wallet, wanted), "before": _texts(wallet, before)}, None


def _texts(wallet: Wallet, limits: Bounds) -> dict[str, str | None]:
    scale = wallet.asset.scale
    return {name: None if minor is None else to_text(minor, scale) for name, minor in asdict(limits).items()}


def tell_overdraft(approval: Approval) -> str:
    before, after = (f"{approval.payload[name]} {approval.asset}" for name in ("before", "overdraft"))
    return f"The wallet may be overdrawn by up to {after} (by now {before}). What is held never draws on it."


def tell_limits(approval: Approval) -> str:
    def said(amount: str | None) -> str:
        return "no limit" if amount is None else f"{amount} {approval.asset}"

    changes = [
        f"{words}: {said(approval.payload['before'][name])} → {said(approval.payload[name])}"
        for name, words in LIMITS.items()
        if approval.payload["before"][name] != approval.payload[name]
    ]
    return f"What the wallet pays at most {'; '.join(changes)}."


def preview_overdraft(approval: Approval) -> dict[str, Any]:
    account = Account.objects.select_related("asset").get(pk=approval.target_id)
    available = account.balance - account.held
    allowed = to_minor(Decimal(approval.payload["overdraft"]), account.asset.scale) or 0
    if available + allowed < 0:
        return {"declined": "The wallet is overdrawn by more than that."}
    now, then = available - (account.min_available or 0), available + allowed
    return {"said": f"The wallet can pay {money(now, account.asset)} by now, and then {money(then, account.asset)}."}


def allow_overdraft(approval: Approval) -> Result:
    wallet = Wallet.objects.select_related("asset").get(pk=approval.target_id)
    minor = to_minor(Decimal(approval.payload["overdraft"]), wallet.asset.scale)
    assert minor is not None  # it was written with the asset's decimals
    answer = set_overdraft_once(
        _keyed(approval), principal=staff(approval.maker_id), wallet_id=wallet.pk, overdraft=minor,
        reason=approval.reason, expected_etag=f'"{approval.expected["version"]}"',
    )  # fmt: skip
    return Result(True, {"status": answer.status, "code": "allowed"} | orjson.loads(answer.body))


def raise_limits(approval: Approval) -> Result:
    wallet = Wallet.objects.select_related("asset").get(pk=approval.target_id)
    given = {name: amount and Decimal(amount) for name, amount in approval.payload.items() if name in LIMITS}
    answer = set_limits_once(
        _keyed(approval), principal=staff(approval.maker_id), wallet_id=wallet.pk,
        wanted=wanted_limits(wallet, given), reason=approval.reason,
        expected_etag=f'"{approval.expected["version"]}"',
    )  # fmt: skip
    return Result(True, {"status": answer.status, "code": "limited"} | orjson.loads(answer.body))


def _keyed(approval: Approval) -> KeyedRequest:
    return KeyedRequest(approval.maker_id, f"approval:{approval.pk}", bytes.fromhex(approval.payload_sha256))
