"""The published schema is valid, complete, and says what the code does."""

import re

import pytest
from django.core.management import call_command
from django.test import Client as Http
from django.urls import URLResolver, get_resolver

from walletplatform.api.problems import CATALOGUE
from walletplatform.api.views import ApiView

MONEY = [
    "/api/v1/payments", "/api/v1/topups", "/api/v1/bonuses", "/api/v1/spends", "/api/v1/payments/batch",
    "/api/v1/payments/captures", "/api/v1/payments/voids",
    *(
        f"/api/v1/payments/{{payment_id}}/{verb}"
        for verb in ("capture", "void", "extend", "reauthorize", "refund", "reverse")
    ),
]  # fmt: skip


@pytest.fixture(scope="module")
def schema():
    return Http().get("/api/v1/schema").json()


@pytest.fixture
def plain_static(settings):
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


def operations(schema):
    return [
        (path, method, operation) for path, methods in schema["paths"].items() for method, operation in methods.items()
    ]


def _api_paths(patterns, prefix="/"):
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _api_paths(pattern.url_patterns, path)
        elif issubclass(getattr(pattern.callback, "cls", object), ApiView):
            yield re.sub("<[a-z]+:([a-z_]+)>", r"{\1}", path)


def test_the_schema_is_valid_openapi_without_a_warning(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yaml"))


def test_every_endpoint_is_in_the_schema(schema):
    assert schema["openapi"].startswith("3.1")
    assert set(_api_paths(get_resolver().url_patterns)) - {"/api/v1/schema", "/api/v1/docs"} == set(schema["paths"])
    names = [operation["operationId"] for _, _, operation in operations(schema)]
    assert len(names) == len(set(names))


def test_every_operation_tells_its_problems_as_problem_documents(schema):
    for path, method, operation in operations(schema):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        expected = {"400", "405", "406", "429", "500", "503"}
        expected |= {"401", "403"} if operation.get("security") != [] and "security" in operation else set()
        expected |= {"413", "415"} if "requestBody" in operation else set()
        assert refusals.keys() >= expected, (method, path)
        for status, answer in refusals.items():
            [(content_type, content)] = answer["content"].items()
            assert content_type == "application/problem+json"
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            for shown in content["examples"].values():
                assert CATALOGUE[shown["value"]["code"]].status == int(status)


def test_only_public_operations_go_without_a_token(schema):
    open_ones = {path for path, _, operation in operations(schema) if not operation.get("security")}

    assert open_ones == {
        "/api/v1/auth/token", "/api/v1/auth/token/refresh", "/api/v1/problems", "/api/v1/problems/{code}",
    }  # fmt: skip


@pytest.mark.parametrize("path", MONEY)
def test_where_money_moves_the_key_is_required(schema, path):
    [key] = [p for p in schema["paths"][path]["post"]["parameters"] if p["name"] == "Idempotency-Key"]

    assert key["required"] is True
    assert re.search(key["schema"]["pattern"], "order-7")
    assert not any(re.search(key["schema"]["pattern"], bad) for bad in ("", "a,b", '"a"', "a b", "é", "x" * 256))


def test_requests_are_closed_and_ask_for_what_is_required(schema):
    requests = {name: s for name, s in schema["components"]["schemas"].items() if name.endswith("Request")}

    assert all(s["additionalProperties"] is False for s in requests.values() if s.get("type") == "object")
    assert requests["TransferRequest"]["required"] == ["amount", "receiver_wallet_id", "sender_wallet_id"]
    assert requests["StatusRequest"]["required"] == ["reason", "status"]
    assert [s["$ref"].split("/")[-1] for s in requests["TokenRequest"]["oneOf"]] == [
        "ClientTokenRequest", "PersonTokenRequest",
    ]  # fmt: skip


def test_texts_of_requests_are_described_as_strictly_as_they_are_read(schema):
    bodies = [operation["requestBody"] for _, _, operation in operations(schema) if "requestBody" in operation]
    assert all(body["required"] for body in bodies)
    transfer = schema["components"]["schemas"]["TransferRequest"]["properties"]
    for text in (transfer["description"], transfer["metadata"]["additionalProperties"]):
        assert re.search(text["pattern"], "Order 1001")
        assert not re.search(text["pattern"], "a\0b")
    login = schema["components"]["schemas"]["PersonTokenRequest"]["properties"]
    assert login["password"]["minLength"] == 1


def test_the_error_catalogue_is_in_the_description(schema):
    assert all(f"`{code}`" in schema["info"]["description"] for code in CATALOGUE)


def test_the_docs_work_without_a_network(plain_static):
    page = Http().get("/api/v1/docs")

    assert page["Content-Type"] == "text/html; charset=utf-8"
    addresses = re.findall(r'(?:src|href|data-schema)="([^"]+)"', page.content.decode())
    assert "/api/v1/schema" in addresses
    assert len(addresses) == 5
    assert all(re.match("/(static|api)/", address) for address in addresses)
