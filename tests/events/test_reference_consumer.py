"""The receiver that clients copy from the documentation does what it says."""

from __future__ import annotations

import importlib.util
import sys
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from standardwebhooks import Webhook

from tests.conftest import ROOT

SECRET = "whsec_" + "c2VjcmV0" * 5


@pytest.fixture
def consumer(tmp_path, monkeypatch):
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    monkeypatch.setenv("STORE", str(tmp_path / "received.db"))
    spec = importlib.util.spec_from_file_location("consumer", ROOT / "docs" / "consumer.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "consumer", module)
    spec.loader.exec_module(module)
    yield module
    module.store.close()


def event(number, *seqs):
    entries = [{"account_id": "ann", "seq": seq, "direction": "DEBIT", "amount": "1.00"} for seq in seqs]
    return orjson.dumps({"id": f"event-{number}", "data": {"entries": entries}})


def signed(body, *, secret=SECRET, at=None):
    now = at or datetime.now(UTC)
    return {
        "Webhook-Id": "one", "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("one", now, body.decode()),
    }  # fmt: skip


def kept(consumer):
    return consumer.store.execute("SELECT wallet, seq, amount FROM entries ORDER BY seq").fetchall()


def test_an_event_that_comes_twice_is_taken_once(consumer):
    body = event(1, 7)
    assert [consumer.receive(signed(body), body) for _ in range(2)] == [204, 204]
    assert kept(consumer) == [("ann", 7, "D1.00")]


@pytest.mark.parametrize("secret", ["whsec_" + "b3RoZXIh" * 5, SECRET])
def test_what_is_not_signed_or_old_is_refused(consumer, secret):
    body = event(1, 7)
    at = None if secret != SECRET else datetime.now(UTC) - timedelta(hours=1)
    assert consumer.receive(signed(body, secret=secret, at=at), body) == 400
    assert consumer.receive({}, body) == 400
    assert kept(consumer) == []


def test_a_gap_is_noticed_until_it_is_filled(consumer):
    for number, seq in ((1, 7), (2, 10), (3, 8)):
        consumer.receive(signed(event(number, seq)), event(number, seq))
    assert consumer.missing() == [("ann", 1)]
    consumer.receive(signed(event(4, 9)), event(4, 9))
    assert consumer.missing() == []
