"""Every error under /api/ is a problem document, whoever answers; every answer names its request."""

import json
import re

import pytest
from django.test import Client as Http
from django.urls import URLPattern, URLResolver, get_resolver

from tests.money import snapshot
from walletplatform.api.problems import CATALOGUE
from walletplatform.api.views import ApiView

MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "retryable", "outcome"}


def check(answer, status, code):
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert problem.keys() >= MEMBERS
    assert problem["status"] == status
    assert problem["type"] == f"/api/v1/problems/{code}"
    assert problem["request_id"] == answer["X-Request-ID"]
    assert problem["retryable"] == ("Retry-After" in answer)
    assert "Traceback" not in answer.content.decode()


def test_an_unknown_path_is_a_problem(shop):
    check(shop.get("/nothing/here"), 404, "not_found")


@pytest.mark.parametrize("path", ["/api/v1/wallets/", "/api/v1/", "/api/", "/api/v2/wallets", "/api/v1/wallets/7"])
def test_a_path_that_is_nearly_right_is_a_problem(path):
    check(Http().get(path), 404, "not_found")


def test_a_method_that_is_not_offered_names_those_that_are(shop):
    answer = shop.send("DELETE", "/wallets", "")
    check(answer, 405, "method_not_allowed")
    assert answer["Allow"] == "GET, POST"


def test_only_json_is_answered(shop):
    check(shop.get("/wallets", Accept="text/html"), 406, "not_acceptable")
    for accept in ("*/*", "application/json", "application/*", "text/html, application/json;q=0.5"):
        assert shop.get("/wallets", Accept=accept).status_code == 200


def test_another_host_is_a_problem(shop):
    check(shop.get("/wallets", Host="evil.example"), 400, "bad_request")


def test_a_missing_scope_is_told():
    from tests.actors import actor

    check(actor("client", scopes=frozenset({"payments:read"})).get("/wallets"), 403, "forbidden")


@pytest.mark.parametrize("given", ["order-7", "x" * 128, "!~"])
def test_a_sane_request_id_is_taken_over(shop, given):
    assert shop.get("/assets", X_Request_ID=given, **{"X-Request-ID": given})["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", "caf\u00e9", "a\tb"])
def test_another_request_id_is_made_anew(shop, given):
    made = shop.get("/assets", **{"X-Request-ID": given})["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)


def test_every_code_of_the_catalogue_is_explained():
    listed = Http().get("/api/v1/problems").json()["data"]
    assert {entry["code"] for entry in listed} == CATALOGUE.keys()
    for entry in listed:
        assert Http().get(entry["type"]).json() == entry
    check(Http().get("/api/v1/problems/unheard_of"), 404, "not_found")


def _routes(patterns, prefix=""):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            view = getattr(pattern.callback, "cls", None)
            if view is not None and issubclass(view, ApiView):
                yield path, view


ROUTES = dict(_routes(get_resolver().url_patterns))
OPERATIONS = [
    (path, method)
    for path, view in ROUTES.items()
    for method in ("GET", "POST", "PATCH", "PUT", "DELETE")
    if hasattr(view, method.lower())
]
PUBLIC = {
    "api/v1/auth/token", "api/v1/auth/token/refresh", "api/v1/problems", "api/v1/problems/<str:code>",
    "api/v1/schema", "api/v1/docs",
}  # fmt: skip
ANY_TOKEN = {"api/v1/assets": 200, "api/v1/approvals/<uuid:approval_id>": 404}
NO_KEY = {"api/v1/auth/token", "api/v1/auth/token/refresh", "api/v1/auth/user-tokens"}


def address(path):
    return "/" + re.sub("<uuid:[a-z_]+>", "01939f3e-5f1c-7d3a-8b52-5a2f3c1d9e77", path).replace(
        "<str:code>", "forbidden"
    )


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_asks_for_a_token_and_a_scope(path, method):
    from tests.actors import actor

    if path in PUBLIC:
        assert ROUTES[path].public
        return
    before = snapshot()
    anonymous = Http().generic(method, address(path), "{}", content_type="application/json")
    check(anonymous, 401, "invalid_token")
    scopeless = actor("client", scopes=frozenset()).send(method, address(path).removeprefix("/api/v1"), {})
    if path in ANY_TOKEN:
        assert scopeless.status_code == ANY_TOKEN[path]
    else:
        check(scopeless, 403, "forbidden")
    assert snapshot() == before


@pytest.mark.parametrize(("path", "method"), [o for o in OPERATIONS if o[1] in ("POST", "PATCH")])
@pytest.mark.parametrize("body", [" ", "[]", "null", '{"a":', '{"a": 1, "a": 2}'])
def test_every_operation_with_a_body_refuses_a_bad_one(shop, path, method, body):
    before = snapshot()
    answer = shop.send(method, address(path).removeprefix("/api/v1"), body)
    assert answer.status_code == 400
    assert answer.json()["code"] in ("malformed_json", "validation_error")
    assert snapshot() == before


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_operation_refuses_parameters_it_does_not_know(shop, path, method):
    answer = shop.send(method, address(path).removeprefix("/api/v1") + "?surprise=1", {})
    check(answer, 400, "validation_error")
    assert json.loads(answer.content)["errors"][0]["pointer"] == "/surprise"
