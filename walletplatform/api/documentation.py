"""``/schema`` and ``/docs``: the API's description, made from the views themselves."""

from __future__ import annotations

from functools import lru_cache

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema

from walletplatform.api.views import ApiView


class SchemaView(ApiView):
    public = True
    produces = ("application/json", "application/vnd.oai.openapi+json")

    @extend_schema(exclude=True)
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(_schema(), content_type="application/json")


class DocsView(ApiView):
    """Swagger UI from our own files: it works without a network."""

    public = True
    produces = ("text/html",)

    @extend_schema(exclude=True)
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "api/docs.html")


@lru_cache
def _schema() -> bytes:
    return orjson.dumps(SchemaGenerator().get_schema(request=None, public=True))  # type: ignore[no-untyped-call]
