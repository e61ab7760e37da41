"""``GET /wallets/{id}/limits``: what a wallet may pay, and what is left of the day. Only staff change it."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from rest_framework import serializers

from ledger.money import to_text
from payments.limiting import bounds_of, left_today
from walletplatform.api.fields import StrictSerializer, TextField
from walletplatform.api.responses import json_response
from walletplatform.api.schema import operation
from walletplatform.api.views import ApiView
from wallets.api.views import get_wallet


class LimitsAnswer(StrictSerializer):
    wallet_id = serializers.UUIDField()
    asset = TextField()
    overdraft = TextField(help_text="How far below 0 it may pay. What is held never draws on it.")
    per_payment = TextField(allow_null=True, help_text="The most in one payment; null is no limit.")
    per_day = TextField(allow_null=True, help_text="The most in a day (UTC); null is no limit.")
    left_today = TextField(allow_null=True, help_text="What is left of the day; null where it has no limit.")


class WalletLimitsView(ApiView):
    scopes = {"GET": "wallets:read"}

    @operation(
        "Get what a wallet may pay",
        answer=LimitsAnswer,
        problems=["not_found"],
        description="Its overdraft, its limits, and what is left of today's. Operations staff set them.",
    )
    def get(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        wallet = get_wallet(self.principal, wallet_id)
        bounds = bounds_of(wallet)
        amounts = {
            "per_payment": bounds.per_payment, "per_day": bounds.per_day, "left_today": left_today(wallet_id, bounds),
        }  # fmt: skip
        scale = wallet.asset.scale
        return json_response(
            {
                "wallet_id": wallet_id,
                "asset": wallet.asset_id,
                "overdraft": to_text(-(wallet.account.min_available or 0), scale),
                **{name: None if minor is None else to_text(minor, scale) for name, minor in amounts.items()},
            }
        )
