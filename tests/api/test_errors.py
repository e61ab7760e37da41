"""Errors that no view meant: each still one problem document, and nothing of the inside shown."""

import json

import psycopg
import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from django.test import Client as Http
from django.test import RequestFactory
from django.urls import path
from psycopg import errors

from walletplatform.api.handler import Handler
from walletplatform.api.problems import CATALOGUE
from walletplatform.api.views import ApiView

SECRET = "secret-4711"
ERRORS = {
    "bug": RuntimeError(SECRET),
    "sql": psycopg.ProgrammingError(f"SELECT {SECRET} FROM accounts"),
    "not-found": Http404(SECRET),
    "denied": PermissionDenied(SECRET),
    "suspicious": SuspiciousOperation(SECRET),
    "unreachable": OperationalError(f"connection failed: {SECRET}"),
    "unresolved": OperationalError(f"failed to resolve host '{SECRET}'"),
    "lost": OperationalError(f"server closed the connection unexpectedly {SECRET}"),
    "closed": InterfaceError(f"the connection is closed {SECRET}"),
}
SQLSTATES = {"lock": errors.LockNotAvailable, "slow": errors.QueryCanceled, "shutdown": errors.AdminShutdown}


class Failing(ApiView):
    public = True

    def get(self, request, name):
        if name in SQLSTATES:
            raise OperationalError(SECRET) from SQLSTATES[name](SECRET)
        raise ERRORS[name]

    post = get


def plain(request):
    raise RuntimeError(SECRET)


urlpatterns = [
    path("api/v1/fail/<str:name>", Failing.as_view()),
    path("api/v1/plain", plain),
    path("api/v1/fine", lambda request: HttpResponse("fine")),
]
handler400 = "walletplatform.api.errors.bad_request"
handler403 = "walletplatform.api.errors.permission_denied"
handler404 = "walletplatform.api.errors.page_not_found"
handler500 = "walletplatform.api.errors.server_error"


@pytest.fixture(autouse=True)
def failing_urls(settings):
    settings.ROOT_URLCONF = __name__


def ask(method, name, **headers):
    return Http(raise_request_exception=False).generic(method, f"/api/v1/{name}", headers=headers)


@pytest.mark.parametrize(
    ("name", "read", "written"),
    [
        ("fail/bug", "internal_error", "internal_error"),
        ("fail/sql", "internal_error", "internal_error"),
        ("fail/not-found", "not_found", "not_found"),
        ("fail/denied", "forbidden", "forbidden"),
        ("fail/suspicious", "bad_request", "bad_request"),
        ("fail/unreachable", "unavailable", "unavailable"),
        ("fail/unresolved", "unavailable", "unavailable"),
        ("fail/slow", "unavailable", "unavailable"),
        ("fail/lock", "lock_timeout", "lock_timeout"),
        ("fail/lost", "unavailable", "outcome_unknown"),
        ("fail/closed", "unavailable", "outcome_unknown"),
        ("fail/shutdown", "unavailable", "outcome_unknown"),
        ("nowhere", "not_found", "not_found"),
    ],
)
def test_what_goes_wrong_is_told_as_far_as_it_is_known(name, read, written):
    for method, code in (("GET", read), ("POST", written)):
        answer = ask(method, name, **{"X-Request-ID": "order-7"})
        kind, problem = CATALOGUE[code], answer.json()

        assert (answer.status_code, problem["code"]) == (kind.status, code)
        assert answer["Content-Type"] == "application/problem+json"
        assert (problem["request_id"], answer["X-Request-ID"]) == ("order-7", "order-7")
        assert (problem["retryable"], problem["outcome"]) == (kind.retryable, kind.outcome)
        assert answer.get("Retry-After") == (str(kind.retry_after) if kind.retryable else None)
        assert SECRET not in answer.content.decode()
        assert "Traceback" not in answer.content.decode()


def test_a_view_that_is_not_of_the_api_fails_in_the_same_form():
    assert ask("GET", "plain").json()["code"] == "internal_error"


def test_outside_the_api_errors_are_pages():
    answer = Http().get("/elsewhere")

    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert answer["X-Request-ID"]


@pytest.mark.parametrize("host", ["evil.example", "localhost:x", "a b", "localhost\\@evil.example", ""])
def test_another_host_is_a_problem(host):
    answer = Http().get("/api/v1/fine", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("end", ["%ff", "%00", "..%2f..", "%2e%2e/", "'--", "%F0%9F%92%B8", "a" * 5000])
def test_an_odd_path_is_not_found(end):
    answer = ask("GET", f"wallets/{end}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert len(answer.content) < 500


def test_too_many_parameters_are_a_problem():
    answer = ask("GET", "fail/bug?" + "&".join(f"a{n}=1" for n in range(1001)))

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "content_type",
    ["application/json; charset*=bogus''x", "application/json; charset=hex", "application/json; charset=rot13",
     "application/json; charset=utf-16", "multipart/form-data; boundary=", ";", "\u00ff/\u00ff; \u00ff=\u00ff"],
)  # fmt: skip
def test_no_content_type_keeps_a_request_from_being_answered(content_type):
    """Through the WSGI entry itself: the test client makes its requests in another way."""
    environ = RequestFactory(headers={"Host": "localhost"}).get("/api/v1/fail/bug?a=1").environ
    answered = {}

    body = Handler()(
        environ | {"CONTENT_TYPE": content_type},
        lambda status, headers: answered.update(status=status, headers=dict(headers)),
    )

    problem = json.loads(b"".join(body))
    assert (answered["status"], problem["code"]) == ("400 Bad Request", "validation_error")
    assert problem["errors"][0]["pointer"] == "/a"
    assert answered["headers"]["Content-Type"] == "application/problem+json"
