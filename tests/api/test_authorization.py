"""One matrix of who may do what: every route and method has a row, and a route without one fails here."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.test import Client as Http
from django.urls import URLResolver, get_resolver

from tests.actors import actor
from tests.money import snapshot
from walletplatform.api.views import ApiView
from walletplatform.identity.scopes import SCOPES

PUBLIC, ANY = "public", "any token"
# Method, route, the scope that it needs, and whether an end user who had the scope may do it.
MATRIX = [
    ("POST", "auth/token", PUBLIC, True),
    ("POST", "auth/token/refresh", PUBLIC, True),
    ("GET", "problems", PUBLIC, True),
    ("GET", "problems/{code}", PUBLIC, True),
    ("GET", "schema", PUBLIC, True),
    ("GET", "docs", PUBLIC, True),
    ("GET", "assets", ANY, True),
    ("POST", "auth/user-tokens", "users:token", None),
    ("GET", "wallets", "wallets:read", True),
    ("POST", "wallets", "wallets:write", None),
    ("GET", "wallets/{id}", "wallets:read", True),
    ("PATCH", "wallets/{id}/status", "wallets:write", None),
    ("GET", "wallets/{id}/balance", "wallets:read", True),
    ("GET", "wallets/{id}/limits", "wallets:read", True),
    ("GET", "wallets/{id}/entries", "wallets:read", True),
    ("GET", "wallets/{id}/transactions", "wallets:read", True),
    ("GET", "wallets/{id}/statement", "wallets:read", True),
    ("GET", "users/{id}/balances", "wallets:read", True),
    ("GET", "payments", "payments:read", True),
    ("POST", "payments", "payments:write", True),
    ("POST", "payments/batch", "payments:write", True),
    ("POST", "payments/captures", "payments:write", False),
    ("POST", "payments/voids", "payments:write", False),
    ("GET", "payments/{id}", "payments:read", True),
    ("POST", "payments/{id}/capture", "payments:write", False),
    ("POST", "payments/{id}/void", "payments:write", False),
    ("POST", "payments/{id}/extend", "payments:write", False),
    ("POST", "payments/{id}/reauthorize", "payments:write", False),
    ("POST", "payments/{id}/refund", "payments:write", False),
    ("POST", "payments/{id}/reverse", "ops:write", None),
    ("POST", "payments/{id}/review", "ops:write", None),
    ("POST", "topups", "treasury:write", None),
    ("POST", "bonuses", "treasury:write", None),
    ("POST", "spends", "payments:write", True),
    ("GET", "events", "events:read", False),
    ("GET", "webhook-endpoints", "webhooks:write", False),
    ("POST", "webhook-endpoints", "webhooks:write", False),
    ("GET", "webhook-endpoints/{id}", "webhooks:write", False),
    ("PATCH", "webhook-endpoints/{id}", "webhooks:write", False),
    ("DELETE", "webhook-endpoints/{id}", "webhooks:write", False),
    ("POST", "webhook-endpoints/{id}/rotate-secret", "webhooks:write", False),
    ("POST", "webhook-endpoints/{id}/test", "webhooks:write", False),
    ("POST", "webhook-endpoints/{id}/redeliver", "webhooks:write", False),
    ("GET", "webhook-deliveries", "webhooks:write", False),
    ("GET", "webhook-deliveries/{id}", "webhooks:write", False),
    ("POST", "webhook-deliveries/{id}/redeliver", "webhooks:write", False),
    ("GET", "reconciliation/report", "ops:read", None),
    ("POST", "reconciliation/runs", "ops:write", None),
    ("GET", "ai/summaries", "ops:read", None),
    ("POST", "ai/summaries", "ops:write", None),
    ("GET", "ai/summaries/{id}", "ops:read", None),
    ("GET", "failures/analysis", "ops:read", None),
    ("GET", "alerts", "ops:read", None),
    ("GET", "alerts/{id}", "ops:read", None),
    ("POST", "alerts/{id}/acknowledge", "ops:write", None),
    ("GET", "alerts/config", "ops:read", None),
    ("POST", "alerts/config", "ops:write", None),
    ("GET", "alerts/config/{id}", "ops:read", None),
    ("PATCH", "alerts/config/{id}", "ops:write", None),
    ("POST", "alerts/config/{id}/test", "ops:write", None),
    ("GET", "approvals/{id}", ANY, True),
    ("GET", "transactions", "payments:read", True),
    ("GET", "transactions/{id}", "payments:read", True),
    ("GET", "transactions/{id}/ledger", "payments:read", True),
]


def routes(patterns, prefix="/"):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif issubclass(getattr(pattern.callback, "cls", object), ApiView):
            name = re.sub("<uuid:[a-z_]+>", "{id}", path).replace("<str:code>", "{code}").removeprefix("/api/v1/")
            for method in ("get", "post", "patch", "put", "delete"):
                if hasattr(pattern.callback.cls, method):
                    yield method.upper(), name


def ask(who, method, route):
    path = "/" + route.replace("{id}", str(uuid4())).replace("{code}", "not_found")
    return who.get(path) if method == "GET" else who.send(method, path, {}, Idempotency_Key=uuid4().hex, If_Match="*")


def test_every_route_and_method_has_its_row():
    assert sorted((method, route) for method, route, *_ in MATRIX) == sorted(routes(get_resolver().url_patterns))


@pytest.mark.parametrize(("method", "route", "scope", "user_may"), MATRIX)
def test_each_route_is_open_to_whom_the_matrix_says(method, route, scope, user_may):
    before = snapshot()
    path = "/api/v1/" + route.replace("{id}", str(uuid4())).replace("{code}", "not_found")
    nobody = Http(raise_request_exception=False).generic(method, path, "{}", content_type="application/json")
    if scope == PUBLIC:
        assert nobody.status_code not in (401, 403)
        return
    assert (nobody.status_code, nobody.json()["code"]) == (401, "invalid_token")
    if scope != ANY:
        all_but_one = ask(actor("client", scopes=frozenset(SCOPES) - {scope}), method, route)
        assert (all_but_one.status_code, all_but_one.json()["code"]) == (403, "forbidden")
    assert ask(actor("client"), method, route).status_code not in (401, 403)
    usual = ask(actor("user"), method, route)
    if user_may:
        assert usual.status_code not in (401, 403)
    else:
        assert (usual.status_code, usual.json()["code"]) == (403, "forbidden")
    assert snapshot() == before
