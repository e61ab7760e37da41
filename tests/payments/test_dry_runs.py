"""A dry run gives the true answer and has no effect; the past is the caller's to tell only with its scope."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection

from ledger.idempotency import CLAIM_KEYS
from tests.actors import actor
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot
from tests.payments.holds import authorize

VOLATILE = ("id", "request_id", "created_at", "effective_at", "transaction_id", "expires_at", "payment_id")


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def requests_of(shop, ann, bob):
    hold, paid = authorize(shop, ann, bob, "10.00"), shop.pay(ann, bob, "10.00").json()["id"]
    transfer = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"}
    return [
        ("/payments", transfer),
        ("/payments", transfer | {"capture": False}),
        ("/payments", transfer | {"amount": "1000.00"}),
        ("/payments", transfer | {"receiver_wallet_id": str(uuid4())}),
        ("/topups", {"wallet_id": ann, "amount": "1.00"}),
        ("/bonuses", {"wallet_id": ann, "amount": "1.00"}),
        ("/spends", {"wallet_id": ann, "amount": "1.00"}),
        (f"/payments/{hold}/reauthorize", {"amount": "11.00"}),
        (f"/payments/{hold}/extend", {"expires_in": 2592000}),
        (f"/payments/{hold}/capture", {"amount": "2.00", "final": False}),
        (f"/payments/{hold}/capture", {"amount": "20.00"}),
        (f"/payments/{paid}/refund", {"amount": "1.00"}),
        (f"/payments/{hold}/void", {}),
        ("/payments/batch", {"mode": "independent", "payments": [transfer | {"idempotency_key": uuid4().hex}]}),
        ("/payments/voids", {"payment_ids": [paid]}),
    ]


def same(body):
    """What of an answer must be the same when it is done in earnest."""
    if isinstance(body, dict):
        return {name: same(inner) for name, inner in body.items() if name not in VOLATILE}
    return [same(inner) for inner in body] if isinstance(body, list) else body


def test_a_dry_run_answers_what_is_then_done_and_does_nothing(shop, ann, bob):
    for path, body in requests_of(shop, ann, bob):
        before = snapshot()
        dry = shop.post(path + "?dry_run=true", body, key=None)
        assert (snapshot() == before, dry["Dry-Run"]) == (True, "true"), path

        done = shop.post(path, body)

        assert (dry.status_code, same(dry.json())) == (done.status_code, same(done.json())), path
        assert "Dry-Run" not in done


def test_a_dry_run_holds_up_nobody_and_is_held_up_by_nobody(shop, ann, bob):
    """Somebody else holds the wallets and the key, as firmly as can be, and the dry runs are answered."""
    key = uuid4().hex
    with connect("owner") as rival:
        asked = requests_of(shop, ann, bob)
        rival.execute("SELECT FROM accounts WHERE id = ANY(%s::uuid[]) FOR UPDATE", ([ann, bob],))
        rival.execute(CLAIM_KEYS, ([key], [shop.id]))
        answers = [shop.post(path + "?dry_run=true", body, key=key) for path, body in asked]
        rival.rollback()

    assert {answer.status_code for answer in answers} == {200, 201, 404, 409, 422}


def test_a_dry_run_sees_one_moment(shop, ann, bob):
    """Money goes to and fro meanwhile, and its answer is right for the whole of it, at any moment."""
    pair = [
        {"idempotency_key": uuid4().hex, "sender_wallet_id": sender, "receiver_wallet_id": receiver, "amount": "100.00"}
        for sender, receiver in ((ann, bob), (bob, ann))
    ]
    ended = threading.Event()

    def to_and_fro():
        try:
            for sender, receiver in itertools.cycle(((ann, bob), (bob, ann))):
                if ended.is_set():
                    return
                assert shop.pay(sender, receiver, "100.00").status_code == 201
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(to_and_fro)
        for _ in range(40):
            dry = shop.post("/payments/batch?dry_run=true", {"mode": "independent", "payments": pair}, key=None)
            assert [one["status"] for one in dry.json()["results"]] in ([201, 201], [422, 201])
        ended.set()
        moving.result(30)


def test_a_dry_run_leaves_its_key_free(shop, ann, bob):
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"}
    key = uuid4().hex

    assert shop.post("/payments?dry_run=true", body, key=key).status_code == 201
    done = shop.post("/payments?dry_run=false", body, key=key)

    assert (done.status_code, "Idempotency-Replayed" in done) == (201, False)
    assert shop.balance(bob) == "1.00"


@pytest.mark.parametrize("flag", ["yes", "1", "True", ""])
def test_a_dry_run_is_asked_for_in_plain_words(shop, ann, bob, flag):
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"}
    before = snapshot()

    assert shop.post(f"/payments?dry_run={flag}", body).status_code == 400
    assert snapshot() == before


def test_a_payment_may_have_happened_in_the_past(shop, ann, bob):
    past = "2026-01-31T12:00:00.000000Z"

    paid = shop.pay(ann, bob, "1.00", effective_at=past).json()

    assert (paid["effective_at"], paid["created_at"] > past) == (past, True)
    [(effective, booked)] = rows("SELECT effective_at, booked_at FROM transactions WHERE id = %s", paid["id"])
    assert (effective, booked > effective) == (datetime(2026, 1, 31, 12, tzinfo=UTC), True)


def test_the_future_and_a_past_without_its_scope_are_refused(shop, ann, bob):
    ahead = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    teller = actor("client", scopes=frozenset({"payments:write"}))
    before = snapshot()

    refused = shop.pay(ann, bob, "1.00", effective_at=ahead)

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/effective_at")
    assert teller.pay(ann, bob, "1.00", effective_at="2026-01-31T12:00:00Z").status_code == 403
    assert snapshot() == before
