"""
What can be asked for: when it may be, what exactly it does, and how it is done.

Each is done under the key ``approval:<id>`` of its maker, so that doing it again after a crash changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson

from ledger.idempotency import KeyedRequest
from ledger.money import to_minor, to_text
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from payments.commands import ONE_STEP, Act, Refund, Reverse, Review
from payments.engine import execute
from payments.models import Payment
from walletplatform.identity.principal import staff
from walletplatform.observability.metrics import count_payment
from walletplatform.observability.request_id import current_request_id, current_traceparent
from wallets.lifecycle import change_status_once
from wallets.models import Wallet

# What an action does to its target: the payload, and the minor units of it where it moves or allows money.
Payload = tuple[dict[str, Any], int | None]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of doing it: whether it was done, and what to keep of the answer."""

    done: bool
    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Action:
    """
    ``why_not`` says why it cannot be asked for ("" where it can); ``make_payload`` makes of what was given what is
    to be approved; ``effect`` tells that to a person; ``carry_out`` does it and may raise ``Problem``.
    """

    name: str
    title: str
    target_type: str
    lasts: timedelta
    why_not: Callable[[Any], str]
    make_payload: Callable[[Any, Mapping[str, Any]], Payload]
    effect: Callable[[Approval], str]
    carry_out: Callable[[Approval], Result]


def why_not_reverse(payment: Payment) -> str:
    if payment.kind not in ONE_STEP or payment.status != Payment.Status.SETTLED:
        return "Only a payment in one step that has settled is reversed."
    return "Money of it has been given back already." if payment.refunded_amount else ""


def refundable(payment: Payment) -> int:
    """Return what may be given back still, in minor units."""
    if payment.kind in ONE_STEP:
        came = payment.amount if payment.status == Payment.Status.SETTLED else 0
    else:
        came = payment.captured_amount
    return came - payment.refunded_amount


def why_not_refund(payment: Payment) -> str:
    return "" if refundable(payment) > 0 else "Nothing of it can be given back."


def why_not_review(payment: Payment) -> str:
    return "" if payment.status == Payment.Status.CREATED else "Nobody has to decide about it."


def why_not_activate(wallet: Wallet) -> str:
    return "" if wallet.status == Wallet.Status.SUSPENDED else "Only a suspended wallet is unfrozen."


def _whole(payment: Payment, given: Mapping[str, Any]) -> Payload:
    return {"amount": to_text(payment.amount, payment.asset.scale)}, payment.amount


def _part(payment: Payment, given: Mapping[str, Any]) -> Payload:
    amount, scale = given.get("amount"), payment.asset.scale
    minor = to_minor(amount, scale) if isinstance(amount, Decimal) else None
    if minor is None or not 0 < minor <= refundable(payment):
        most = to_text(refundable(payment), scale)
        raise Refused("invalid", f"An amount of up to {most} {payment.asset_id}, with {scale} decimals at most.")
    return {"amount": to_text(minor, scale)}, minor


def _verdict(payment: Payment, given: Mapping[str, Any]) -> Payload:
    if not isinstance(given.get("approve"), bool):
        raise Refused("invalid", "Say whether the payment is to happen.")
    return {"amount": to_text(payment.amount, payment.asset.scale), "approve": given["approve"]}, payment.amount


def _reverse(approval: Approval) -> Result:
    return _executed(Reverse(**_asked(approval)))


def _refund(approval: Approval) -> Result:
    return _executed(Refund(**_asked(approval), amount=Decimal(approval.payload["amount"])))


def _review(approval: Approval) -> Result:
    result = _executed(Review(**_asked(approval), approve=approval.payload["approve"]))
    # A payment that is let happen, and cannot any more, fails: then what was approved did not come about.
    happened = not approval.payload["approve"] or result.answer["code"] != "failed"
    return Result(result.done and happened, result.answer)


def _activate(approval: Approval) -> Result:
    request = KeyedRequest(approval.maker_id, _key(approval), bytes.fromhex(approval.payload_sha256))
    answer = change_status_once(
        request,
        principal=staff(approval.maker_id),
        wallet_id=approval.target_id,
        status=Wallet.Status.ACTIVE,
        reason=approval.reason,
        expected_etag=f'"{approval.expected["version"]}"',
    )
    return Result(True, {"status": answer.status, "code": "active"})


def _key(approval: Approval) -> str:
    return f"approval:{approval.pk}"


def _asked(approval: Approval) -> dict[str, Any]:
    return {
        "principal": staff(approval.maker_id),
        "key": _key(approval),
        "fingerprint": bytes.fromhex(approval.payload_sha256),
        "request_id": current_request_id(),
        "traceparent": current_traceparent(),
        "payment_id": approval.target_id,
        "reason": approval.reason,
    }


def _executed(command: Act) -> Result:
    outcome = execute([command])[0]
    count_payment(kind=command.kind, outcome=outcome.code)
    body = orjson.loads(outcome.body)
    answer = {"status": outcome.status, "code": outcome.code, "payment_id": body.get("payment_id") or body.get("id")}
    if not outcome.has_happened:
        answer["detail"] = body.get("detail")
    elif body.get("failure"):
        answer["detail"] = body["failure"]["detail"]
    return Result(outcome.has_happened, answer)


def _amount(approval: Approval) -> str:
    return f"{approval.payload['amount']} {approval.asset}"


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "payment.reverse", "Reverse a payment", "payment", timedelta(hours=24), why_not_reverse, _whole,
            lambda approval: f"The payment is undone as a whole: {_amount(approval)} go back to where they came from.",
            _reverse,
        ),
        Action(
            "payment.refund", "Refund a payment", "payment", timedelta(hours=72), why_not_refund, _part,
            lambda approval: f"{_amount(approval)} of the payment go back to where they came from.", _refund,
        ),
        Action(
            "payment.review", "Decide about a payment", "payment", timedelta(hours=72), why_not_review, _verdict,
            lambda approval: f"The payment of {_amount(approval)} "
            + ("is let happen." if approval.payload["approve"] else "is denied, for good."), _review,
        ),
        Action(
            "wallet.activate", "Unfreeze a wallet", "wallet", timedelta(hours=72), why_not_activate,
            lambda wallet, given: ({"status": "ACTIVE"}, None),
            lambda approval: "The wallet becomes active: money moves into it and out of it again.", _activate,
        ),
    )
}  # fmt: skip
