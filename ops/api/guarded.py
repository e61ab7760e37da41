"""
What client systems ask for over the API and a second person must approve: unfreezing, and giving back a lot.

The views of the money apps know no approvals, which stand above them: these take their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from psycopg import errors

from ledger.idempotency import KeyedRequest
from ledger.keyed import Answer, once
from ledger.money import to_minor
from ops.api.approvals import ApprovalAnswer, represent
from ops.approvals.actions import ACTIONS, refundable
from ops.approvals.models import Approval
from ops.approvals.proposing import LONGEST_REASON, ONE_OPEN, ask
from ops.approvals.refusing import Refused
from ops.approvals.thresholds import is_large, largest
from payments.api.acting import RefundView, ReverseView
from payments.api.money import ACT_PROBLEMS, DRY_RUN, ActView
from payments.api.serializers import PaymentAnswer, RefundRequest, ReverseRequest
from payments.models import Payment
from walletplatform.api.fields import validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.problems import Problem
from walletplatform.api.responses import stored_response
from walletplatform.api.schema import KEY_HEADER, MATCH_HEADER, operation
from walletplatform.audit.actors import of_principal
from walletplatform.identity.principal import Principal
from wallets.api.serializers import StatusRequest, WalletAnswer
from wallets.api.views import STATUS, WalletStatusView, get_wallet
from wallets.models import Wallet
from wallets.representation import etag

BY_TWO = "A second person decides about it: ask for the proposal to learn what became of it."
_AS_PROBLEM = {"not_found": "not_found", "no_checker": "unavailable"}
_GIVING_BACK = [
    *ACT_PROBLEMS, "wallet_not_active", "insufficient_funds", "balance_overflow", "unavailable",
]  # fmt: skip


class GuardedStatusView(WalletStatusView):
    @operation(
        "Activate, suspend or close a wallet",
        request=StatusRequest,
        answer=WalletAnswer,
        proposal=ApprovalAnswer,
        problems=["not_found", "invalid_state", "precondition_failed", "precondition_required", "lock_timeout"],
        parameters=[MATCH_HEADER],
        example={"status": "SUSPENDED", "reason": "Reported stolen"},
        description=f"To unfreeze a wallet that was suspended is answered 202. {BY_TWO}",
    )
    def patch(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        asked, expected = validated(STATUS, self.body(request)), request.META.get("HTTP_IF_MATCH")
        if asked["status"] != Wallet.Status.ACTIVE or not expected:
            return self._change(request, wallet_id)
        wallet = get_wallet(self.principal, wallet_id)
        if expected not in ("*", etag(wallet)):
            raise Problem("precondition_failed", f"The wallet is at version {wallet.version} by now.")
        if wallet.status != Wallet.Status.SUSPENDED:
            # As it was read just now: where it is suspended meanwhile, this does not undo it, nor does a version
            # that was guessed ahead.
            request.META["HTTP_IF_MATCH"] = etag(wallet)
            return self._change(request, wallet_id)
        return _proposed(self.principal, None, "wallet.activate", wallet_id, asked["reason"], {})

    def _change(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        response: HttpResponse = super().patch(request, wallet_id)
        return response


class _GivingBack(ActView):
    """What is small was decided on a read: under the lock it must still be."""

    at_most: int | None = None

    def asked(self, request: HttpRequest, raw: Any) -> dict[str, Any]:
        return super().asked(request, raw) | {"at_most": self.at_most}


class GuardedRefundView(_GivingBack, RefundView):
    @operation(
        "Give back what was captured, whole or in part",
        request=RefundRequest,
        answer=PaymentAnswer,
        proposal=ApprovalAnswer,
        status=201,
        problems=[*_GIVING_BACK, "amount_scale"],
        parameters=[KEY_HEADER, DRY_RUN],
        description=f"A large refund is answered 202. {BY_TWO}",
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return _by_two_if_large(self, request, payment_id, "payment.refund") or self.act(request, payment_id)


class GuardedReverseView(_GivingBack, ReverseView):
    @operation(
        "Undo a payment as a whole, once",
        request=ReverseRequest,
        answer=PaymentAnswer,
        proposal=ApprovalAnswer,
        status=201,
        problems=_GIVING_BACK,
        parameters=[KEY_HEADER, DRY_RUN],
        description=f"The reversal of a large payment is answered 202. {BY_TWO}",
    )
    def post(self, request: HttpRequest, payment_id: UUID) -> HttpResponse:
        return _by_two_if_large(self, request, payment_id, "payment.reverse") or self.act(request, payment_id)


def _by_two_if_large(view: _GivingBack, request: HttpRequest, payment_id: UUID, action: str) -> HttpResponse | None:
    """Propose what gives back more than one may alone; None where it does not, or the money path is to say no."""
    view.only_clients()
    if view.is_dry_run(request):
        return None
    raw = view.body(request)
    asked = validated(view.serializer, raw)
    payment = Payment.objects.select_related("asset").filter(pk=payment_id).first()
    if payment is None or not view.principal.sees_asset(payment.asset_id):
        return None
    amount = asked.get("amount")
    minor = refundable(payment) if amount is None else to_minor(amount, payment.asset.scale)
    view.at_most = largest(payment)
    if minor is None or not is_large(minor, payment) or ACTIONS[action].why_not(payment):
        return None
    key = idempotency_key(request, required=True)
    assert key is not None
    keyed = KeyedRequest(view.principal.id, key, fingerprint("POST", request.path, raw))
    given = {"amount": Decimal(minor).scaleb(-payment.asset.scale)} if action == "payment.refund" else {}
    return _proposed(view.principal, keyed, action, payment_id, asked["reason"], given)


def _proposed(
    principal: Principal,
    keyed: KeyedRequest | None,
    action: str,
    target_id: UUID,
    reason: str,
    given: Mapping[str, Any],
) -> HttpResponse:
    """
    Answer 202 with the proposal, once for its key; asked again without one, with that which is open.

    :raises Problem: ``not_found``, ``invalid_state``, ``unavailable`` where nobody could decide
    """
    actor = of_principal(principal)

    def propose() -> Answer:
        told = f"By a client system: {reason or 'no reason given'}"[:LONGEST_REASON]
        approval = ask(actor=actor, action=ACTIONS[action], target_id=target_id, reason=told, given=given)
        return Answer(202, orjson.dumps(represent(approval)), approval.pk)

    try:
        answer = once(keyed, propose)
    except Refused as refusal:
        raise Problem(_AS_PROBLEM.get(refusal.code, "invalid_state"), refusal.detail) from refusal
    except IntegrityError as error:
        cause = error.__cause__
        if not isinstance(cause, errors.UniqueViolation) or cause.diag.constraint_name != ONE_OPEN:
            raise
        answer = _open(principal, action, target_id, is_same=keyed is None)
    return stored_response(status=answer.status, body=answer.body, replayed=answer.replayed)


def _open(principal: Principal, action: str, target_id: UUID, *, is_same: bool) -> Answer:
    found = Approval.objects.filter(action=action, target_id=target_id, state__in=Approval.OPEN).first()
    if found is None or found.maker_id != principal.id or not is_same:
        raise Problem("invalid_state", "The same has been proposed already, and is not decided.")
    return Answer(202, orjson.dumps(represent(found)), found.pk)
