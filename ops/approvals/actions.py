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
from ops.approvals.adjusting import adjustment, new_adjustment, tell_adjustment, why_not_adjust
from ops.approvals.allowing import (
    allow_overdraft,
    new_limits,
    new_overdraft,
    preview_overdraft,
    raise_limits,
    tell_limits,
    tell_overdraft,
    why_not_overdraw,
    why_not_raise,
)
from ops.approvals.clients import (
    let_in,
    new_let_in,
    new_secret,
    renew,
    tell_let_in,
    tell_secret,
    why_not_let_in,
)
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.results import Payload, Result
from ops.approvals.roles import give_roles, new_roles, tell_roles, why_not_roles
from ops.previews import shown
from ops.reconciliation.handling import resolve_approved, why_not_resolve
from payments.commands import ONE_STEP, Act, Adjust, Refund, Reverse, Review, Signature
from payments.engine import execute, preview
from payments.models import Payment
from walletplatform.audit.actors import Actor
from walletplatform.audit.models import AuditEntry
from walletplatform.audit.origin import current_address
from walletplatform.identity.principal import Principal, staff
from walletplatform.observability.metrics import count_payment
from walletplatform.observability.request_id import current_request_id, current_traceparent
from wallets.lifecycle import change_status_once
from wallets.models import Wallet


@dataclass(frozen=True, slots=True)
class Action:
    """
    ``why_not`` says why it cannot be asked for ("" where it can); ``make_payload`` makes of what was given what is
    to be approved; ``effect`` tells that to a person; ``carry_out`` does it and may raise ``Problem``. ``asked_by``
    and ``decided_by`` are the rights of maker and checker. ``preview`` is what would come of it right now, for
    ``admin/preview.html``.
    """

    name: str
    title: str
    target_type: str
    lasts: timedelta
    why_not: Callable[[Any], str]
    make_payload: Callable[[Any, Mapping[str, Any]], Payload]
    effect: Callable[[Approval], str]
    carry_out: Callable[[Approval], Result]
    asked_by: str = "ops.propose_approval"
    decided_by: str = "ops.decide_approval"
    preview: Callable[[Approval], dict[str, Any]] = lambda approval: {}


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


def _foreseen(approval: Approval) -> dict[str, Any]:
    return shown(preview(_COMMANDS[approval.action](approval)))


def _move(approval: Approval) -> Result:
    return _executed(_COMMANDS[approval.action](approval))


def _review(approval: Approval) -> Result:
    result = _move(approval)
    # A payment that is let happen, and cannot any more, fails: then what was approved did not come about.
    happened = not approval.payload["approve"] or "detail" not in result.answer
    return Result(result.done and happened, result.answer)


def _activate(approval: Approval) -> Result:
    request = KeyedRequest(approval.maker_id, _key(approval), bytes.fromhex(approval.payload_sha256))
    answer = change_status_once(
        request,
        principal=_maker(approval),
        wallet_id=approval.target_id,
        status=Wallet.Status.ACTIVE,
        reason=approval.reason,
        expected_etag=f'"{approval.expected["version"]}"',
    )
    return Result(True, {"status": answer.status, "code": "active"})


def _resolve(approval: Approval) -> Result:
    actor = Actor(AuditEntry.Kind.STAFF, approval.maker_id, approval.maker_name)
    finding = resolve_approved(
        finding_id=approval.target_id, actor=actor, note=approval.reason, expected=approval.expected
    )
    return Result(True, {"code": "resolved", "state": finding.state})


def _adjustment(approval: Approval) -> Adjust:
    asked = {name: value for name, value in _asked(approval).items() if name != "payment_id"}
    return adjustment(approval, asked)


def _maker(approval: Approval) -> Principal:
    """Whom it is done for: who asked. What a client may was checked when it did."""
    if approval.maker_kind == "client":
        return Principal(approval.maker_id, "client", frozenset(), frozenset({approval.asset}))
    return staff(approval.maker_id)


def _key(approval: Approval) -> str:
    return f"approval:{approval.pk}"


def _asked(approval: Approval) -> dict[str, Any]:
    return {
        "principal": _maker(approval),
        "signature": Signature(approval.maker_name, current_address(), str(approval.pk)),
        "key": _key(approval),
        "fingerprint": bytes.fromhex(approval.payload_sha256),
        "request_id": current_request_id(),
        "traceparent": current_traceparent(),
        "payment_id": approval.target_id,
        "reason": approval.reason,
    }


def _executed(command: Act | Adjust) -> Result:
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


_COMMANDS: dict[str, Callable[[Approval], Act | Adjust]] = {
    "payment.reverse": lambda approval: Reverse(**_asked(approval)),
    "payment.refund": lambda approval: Refund(**_asked(approval), amount=Decimal(approval.payload["amount"])),
    "payment.review": lambda approval: Review(**_asked(approval), approve=approval.payload["approve"]),
    "wallet.adjust": _adjustment,
    "account.adjust": _adjustment,
}

ACTIONS = {
    action.name: action
    for action in (
        Action(
            "payment.reverse", "Reverse a payment", "payment", timedelta(hours=24), why_not_reverse, _whole,
            lambda approval: f"The payment is undone as a whole: {_amount(approval)} go back to where they came from.",
            _move, preview=_foreseen,
        ),
        Action(
            "payment.refund", "Refund a payment", "payment", timedelta(hours=72), why_not_refund, _part,
            lambda approval: f"{_amount(approval)} of the payment go back to where they came from.", _move,
            preview=_foreseen,
        ),
        Action(
            "payment.review", "Decide about a payment", "payment", timedelta(hours=72), why_not_review, _verdict,
            lambda approval: f"The payment of {_amount(approval)} "
            + ("is let happen." if approval.payload["approve"] else "is denied, for good."), _review, preview=_foreseen,
        ),
        Action(
            "wallet.activate", "Unfreeze a wallet", "wallet", timedelta(hours=72), why_not_activate,
            lambda wallet, given: ({"status": "ACTIVE"}, None),
            lambda approval: "The wallet becomes active: money moves into it and out of it again.", _activate,
        ),
        Action(
            "finding.resolve", "Resolve a finding", "finding", timedelta(hours=72), why_not_resolve,
            lambda finding, given: ({"state": "RESOLVED"}, None),
            lambda approval: "The finding is closed for good; where the difference is still there, the next run over "
            "everything opens another.", _resolve,
        ),
        *(
            Action(
                f"{target_type}.adjust", f"Adjust {words}", target_type, timedelta(hours=24), why_not_adjust,
                new_adjustment, tell_adjustment, _move, asked_by="ops.propose_adjustment", preview=_foreseen,
            )
            for target_type, words in (("wallet", "a wallet"), ("account", "a system account"))
        ),
        Action(
            "wallet.overdraft", "Change a wallet's overdraft", "wallet", timedelta(hours=72), why_not_overdraw,
            new_overdraft, tell_overdraft, allow_overdraft, asked_by="ops.propose_adjustment",
            preview=preview_overdraft,
        ),
        Action(
            "wallet.limits", "Raise a wallet's limits", "wallet", timedelta(hours=72), why_not_raise, new_limits,
            tell_limits, raise_limits,
        ),
        Action(
            "user.roles", "Give roles to a person", "user", timedelta(hours=72), why_not_roles, new_roles, tell_roles,
            give_roles, asked_by="ops.grant_role", decided_by="ops.grant_role",
        ),
        Action(
            "client.let_in", "Let a client system in", "client", timedelta(hours=72), why_not_let_in, new_let_in,
            tell_let_in, let_in, asked_by="ops.grant_role", decided_by="ops.grant_role",
        ),
        Action(
            "client.secret", "Give a client system a new secret", "client", timedelta(hours=24), lambda client: "",
            new_secret, tell_secret, renew, asked_by="ops.grant_role", decided_by="ops.grant_role",
        ),
    )
}  # fmt: skip
