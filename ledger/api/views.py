"""``/assets``: what can be owned."""

from django.http import HttpRequest, HttpResponse
from rest_framework import serializers

from ledger.models import Asset
from walletplatform.api.fields import StrictSerializer, TextField
from walletplatform.api.responses import json_response
from walletplatform.api.schema import operation
from walletplatform.api.views import ApiView


class AssetAnswer(StrictSerializer):
    code = TextField()
    name = TextField()
    kind = serializers.ChoiceField(Asset.Kind.choices)
    scale = serializers.IntegerField(help_text="Decimals of an amount.")


class AssetPage(StrictSerializer):
    data = AssetAnswer(many=True)
    has_more = serializers.BooleanField()
    next_cursor = TextField(allow_null=True)


class AssetsView(ApiView):
    scopes = {"GET": None}

    @operation("List the assets that the token may use", answer=AssetPage)
    def get(self, request: HttpRequest) -> HttpResponse:
        assets = Asset.objects.order_by("code").values("code", "name", "kind", "scale")
        if self.principal.assets is not None:
            assets = assets.filter(code__in=self.principal.assets)
        return json_response({"data": list(assets), "has_more": False, "next_cursor": None})
