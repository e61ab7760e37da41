"""``POST /payments``, ``/topups``, ``/bonuses``, ``/spends``: move money in one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from payments.api.serializers import PaymentAnswer, TransferRequest, WalletMoneyRequest
from payments.commands import FLOWS, WALLET, Move
from payments.engine import execute
from walletplatform.api.fields import StrictSerializer, validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.responses import stored_response
from walletplatform.api.schema import KEY_HEADER, operation
from walletplatform.api.views import ApiView
from walletplatform.observability.metrics import count_payment
from walletplatform.observability.request_id import current_request_id, current_traceparent

TRANSFER, WALLET_MONEY = TransferRequest(), WalletMoneyRequest()
PROBLEMS = [
    "idempotency_key_required", "idempotency_key_invalid", "idempotency_key_reused",
    "idempotency_in_progress", "not_found", "wallet_not_active", "insufficient_funds",
    "same_wallet", "amount_scale", "asset_mismatch", "balance_overflow", "lock_timeout",
    "outcome_unknown",
]  # fmt: skip
WALLET_EXAMPLE = {"wallet_id": "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77", "amount": "25.00"}


class MoveView(ApiView):
    """A one-step payment of ``kind``; ``serializer`` reads its body."""

    kind: str
    serializer: StrictSerializer

    def move(self, request: HttpRequest) -> HttpResponse:
        raw = self.body(request)
        asked = validated(self.serializer, raw)
        key = idempotency_key(request, required=True)
        assert key is not None
        outcome = execute([self._command(request, raw, asked, key)])[0]
        count_payment(kind=self.kind, outcome=outcome.code)
        return stored_response(status=outcome.status, body=outcome.body, replayed=outcome.replayed)

    def _command(self, request: HttpRequest, raw: Any, asked: dict[str, Any], key: str) -> Move:
        flow, wallet = FLOWS[self.kind], asked.get("wallet_id")
        return Move(
            principal=self.principal,
            key=key,
            fingerprint=fingerprint("POST", request.path, raw),
            request_id=current_request_id(),
            traceparent=current_traceparent(),
            kind=self.kind,
            sender_id=asked.get("sender_wallet_id", wallet if flow.sender == WALLET else None),
            receiver_id=asked.get("receiver_wallet_id", wallet if flow.receiver == WALLET else None),
            amount=asked["amount"],
            description=asked["description"],
            metadata=asked["metadata"],
        )


def _wallet_money(summary: str) -> Callable[[Any], Any]:
    return operation(
        summary,
        request=WalletMoneyRequest,
        answer=PaymentAnswer,
        status=201,
        problems=PROBLEMS,
        parameters=[KEY_HEADER],
        example=WALLET_EXAMPLE,
    )


class TopupsView(MoveView):
    kind = "topup"
    serializer = WALLET_MONEY
    scopes = {"POST": "treasury:write"}

    @_wallet_money("Top up a wallet from the treasury")
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.move(request)


class BonusesView(MoveView):
    kind = "bonus"
    serializer = WALLET_MONEY
    scopes = {"POST": "treasury:write"}

    @_wallet_money("Grant a bonus to a wallet")
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.move(request)


class SpendsView(MoveView):
    kind = "spend"
    serializer = WALLET_MONEY
    scopes = {"POST": "payments:write"}

    @_wallet_money("Spend from a wallet, to the asset's revenue")
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.move(request)
