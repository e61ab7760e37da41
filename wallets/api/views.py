"""``/wallets``: open, find, and change wallets."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiParameter

from ledger.idempotency import KeyedRequest
from walletplatform.api.fields import validated
from walletplatform.api.idempotency import fingerprint, idempotency_key
from walletplatform.api.pagination import page_of
from walletplatform.api.problems import Problem
from walletplatform.api.query import choice_parameter, id_parameter
from walletplatform.api.responses import json_response, stored_response
from walletplatform.api.schema import KEY_HEADER, MATCH_HEADER, PAGED, operation
from walletplatform.api.views import ApiView
from walletplatform.identity.principal import Principal
from wallets.api.serializers import NewWalletRequest, StatusRequest, WalletAnswer, WalletPage
from wallets.lifecycle import change_status
from wallets.models import Wallet
from wallets.opening import NewWallet, open_wallet
from wallets.representation import etag, represent
from wallets.visibility import visible_wallets

NEW_WALLET, STATUS = NewWalletRequest(), StatusRequest()
USER_EXAMPLE = "8a6e0804-2bd0-4672-b79d-d97027f9071a"


class WalletsView(ApiView):
    scopes = {"GET": "wallets:read", "POST": "wallets:write"}
    parameters = {"GET": frozenset({"user_id", "asset", "status", "limit", "cursor"})}

    @operation(
        "List wallets, newest first",
        answer=WalletPage,
        parameters=[
            OpenApiParameter("user_id", str),
            OpenApiParameter("asset", str),
            OpenApiParameter("status", str, enum=Wallet.Status.values),
            *PAGED,
        ],
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        filters: dict[str, Any] = {
            "user_id": id_parameter(request.GET, "user_id"),
            "asset": request.GET.get("asset"),
            "status": choice_parameter(request.GET, "status", Wallet.Status.values),
        }
        given = {name: value for name, value in filters.items() if value is not None}
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters=given)
        wallets = visible_wallets(self.principal).filter(**given).order_by("-pk")
        if page.after is not None:
            wallets = wallets.filter(pk__lt=page.after)
        return json_response(page.answer(list(wallets[: page.fetch]), represent, lambda wallet: wallet.pk))

    @operation(
        "Open a wallet",
        request=NewWalletRequest,
        answer=WalletAnswer,
        status=201,
        problems=["idempotency_key_invalid", "idempotency_key_reused", "idempotency_in_progress"],
        parameters=[KEY_HEADER],
        example={"user_id": USER_EXAMPLE, "asset": "EUR", "label": "savings", "activate": True},
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        raw = self.body(request)
        wanted = NewWallet(**validated(NEW_WALLET, raw))
        key = idempotency_key(request, required=False)
        keyed = key and KeyedRequest(self.principal.id, key, fingerprint("POST", request.path, raw))
        opened = open_wallet(principal=self.principal, wanted=wanted, request=keyed or None)
        return stored_response(status=opened.status, body=opened.body, replayed=opened.replayed)


class WalletView(ApiView):
    scopes = {"GET": "wallets:read"}

    @operation("Get a wallet with its balance", answer=WalletAnswer, problems=["not_found"])
    def get(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        wallet = get_wallet(self.principal, wallet_id)
        return json_response(represent(wallet), headers={"ETag": etag(wallet)})


class WalletStatusView(ApiView):
    scopes = {"PATCH": "wallets:write"}

    @operation(
        "Activate, suspend or close a wallet",
        request=StatusRequest,
        answer=WalletAnswer,
        problems=[
            "not_found",
            "invalid_state",
            "precondition_failed",
            "precondition_required",
            "lock_timeout",
        ],
        parameters=[MATCH_HEADER],
        example={"status": "SUSPENDED", "reason": "Reported stolen"},
    )
    def patch(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        asked = validated(STATUS, self.body(request))
        expected = request.META.get("HTTP_IF_MATCH")
        if not expected:
            raise Problem("precondition_required", "Send If-Match with the ETag of GET /wallets/{id}.")
        wallet = change_status(principal=self.principal, wallet_id=wallet_id, expected_etag=expected, **asked)
        return json_response(represent(wallet), headers={"ETag": etag(wallet)})


def get_wallet(principal: Principal, wallet_id: UUID) -> Wallet:
    """
    Return a wallet that the principal may see.

    :raises Problem: ``not_found``
    """
    wallet = visible_wallets(principal).filter(pk=wallet_id).first()
    if wallet is None:
        raise Problem("not_found", "There is no such wallet.")
    return wallet
