"""``POST /payments``, ``/topups``, ``/bonuses``, ``/spends``: move money in one step, or hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from payments.api.money import DRY_RUN, PROBLEMS, MoneyView
from payments.api.serializers import DEFAULT_LIFETIME, PaymentAnswer, TransferRequest, WalletMoneyRequest
from payments.commands import FLOWS, WALLET, Move
from payments.policy import judged
from walletplatform.api.fields import StrictSerializer, validated
from walletplatform.api.problems import Problem
from walletplatform.api.schema import KEY_HEADER, operation
from walletplatform.identity.principal import Principal

TRANSFER, WALLET_MONEY = TransferRequest(), WalletMoneyRequest()
WALLET_EXAMPLE = {"wallet_id": "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77", "amount": "25.00"}


class MoveView(MoneyView):
    """A payment of ``kind``; ``serializer`` reads its body."""

    kind: str
    serializer: StrictSerializer

    def move(self, request: HttpRequest) -> HttpResponse:
        raw = self.body(request)
        fields = validated(self.serializer, raw)
        check_backdating(self.principal, fields)
        command = move_command(self.kind, fields, self.asked(request, raw))
        return self.run(request, command, kind=command.kind)


def move_command(kind: str, fields: dict[str, Any], asked: dict[str, Any]) -> Move:
    """
    Return the command for a payment's validated ``fields``; ``asked`` says by whom and under which key.

    :raises Problem: ``unavailable`` where the policy has no verdict
    """
    flow, wallet = FLOWS[kind], fields.get("wallet_id")
    held = not fields.get("capture", True)
    move = Move(
        **asked,
        kind="authorization" if held else kind,
        sender_id=fields.get("sender_wallet_id", wallet if flow.sender == WALLET else None),
        receiver_id=fields.get("receiver_wallet_id", wallet if flow.receiver == WALLET else None),
        amount=fields["amount"],
        description=fields["description"],
        metadata=fields["metadata"],
        effective_at=fields.get("effective_at"),
        expires_in=fields.get("expires_in", DEFAULT_LIFETIME) if held else 0,
    )
    return judged(move)


def check_backdating(principal: Principal, fields: dict[str, Any]) -> None:
    """
    Refuse a past of the caller's choice to whom may not choose it.

    :raises Problem: ``forbidden``
    """
    if "effective_at" in fields and "payments:backdate" not in principal.scopes:
        raise Problem("forbidden", "The token lacks the scope payments:backdate.")


def _wallet_money(summary: str) -> Callable[[Any], Any]:
    return operation(
        summary,
        request=WalletMoneyRequest,
        answer=PaymentAnswer,
        status=201,
        problems=PROBLEMS,
        parameters=[KEY_HEADER, DRY_RUN],
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
