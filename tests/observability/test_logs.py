"""Logs: one line for each request, with its id, and nothing that is not the reader's business."""

import json
import logging
from io import StringIO

import pytest
from structlog.stdlib import ProcessorFormatter

from tests.actors import actor

SECRET = "secret-4711"


@pytest.fixture
def lines():
    """Every line logged in the test, as the platform writes it."""
    [ours] = [h for h in logging.getLogger().handlers if isinstance(h.formatter, ProcessorFormatter)]
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ours.formatter)
    logging.getLogger().addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.getLogger().removeHandler(handler)


def test_a_request_is_one_line(lines):
    who = actor("client")

    who.get("/wallets", **{"X-Request-ID": "order-7"})

    [line] = lines()
    assert line.pop("milliseconds") >= 0
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request", "logger": "request", "level": "info", "request_id": "order-7", "method": "GET",
        "route": "api/v1/wallets", "status": 200, "principal": str(who.id),
    }  # fmt: skip


def test_a_refusal_is_one_line_too(lines):
    actor("client").http.get("/api/v1/wallets")

    assert [(line["status"], line["principal"]) for line in lines()] == [(401, None)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda who: who.get(f"/wallets?asset={SECRET}"),
        lambda who: who.get(f"/wallets?{SECRET}=1"),
        lambda who: who.get(f"/problems/{SECRET}"),
        lambda who: who.get(f"/{SECRET}"),
        lambda who: who.get("/wallets", Cookie=SECRET, Authorization=f"Bearer {SECRET}"),
        lambda who: who.send("POST", "/auth/token", {"username": SECRET, "password": SECRET}),
        lambda who: who.send("POST", "/auth/token", f'{{"client_secret": "{SECRET}'),
        lambda who: who.send("POST", "/auth/token/refresh", {"refresh_token": SECRET}),
        lambda who: who.send("POST", "/payments", {"description": SECRET, SECRET: 1}, Idempotency_Key=SECRET),
    ],
)
def test_no_line_holds_what_the_caller_sent(lines, ask):
    who = actor("client")
    bearer = who.bearer

    ask(who)

    assert lines()
    assert SECRET not in json.dumps(lines())
    assert bearer not in json.dumps(lines())


@pytest.mark.parametrize("path", ["/healthz/live", "/healthz/ready", "/metrics"])
def test_probes_are_not_logged(lines, path):
    actor("client").http.get(path)

    assert lines() == []


def test_libraries_and_errors_are_logged_in_the_same_form(lines):
    try:
        raise RuntimeError("the bug")
    except RuntimeError:
        logging.getLogger("celery.worker").exception("It %s", "failed")

    [line] = lines()
    assert (line["event"], line["level"], line["logger"]) == ("It failed", "error", "celery.worker")
    assert "RuntimeError: the bug" in line["exception"]


def test_a_line_cannot_be_forged(lines):
    logging.getLogger("x").warning("a\n%s", '{"event": "forged"}')

    assert [line["event"] for line in lines()] == ['a\n{"event": "forged"}']
