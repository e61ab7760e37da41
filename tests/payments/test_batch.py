"""Many payments in one request: each on its own, or all or none; in order, once for their keys."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from tests.actors import actor
from tests.ledger.test_database_rules import connect
from tests.money import snapshot, value


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def item(sender, receiver, amount, **more):
    return {
        "idempotency_key": uuid4().hex, "sender_wallet_id": sender, "receiver_wallet_id": receiver,
        "amount": amount, **more,
    }  # fmt: skip


def batch(actor, mode, items, **more):
    return actor.post("/payments/batch", {"mode": mode, "payments": items}, **more)


def statuses(answer):
    return [result["status"] for result in answer.json()["results"]]


@pytest.mark.parametrize("mode", ["independent", "atomic"])
def test_results_stand_in_the_order_asked(shop, ann, bob, mode):
    items = [item(ann, bob, f"{n}.00") for n in range(1, 6)]

    answer = batch(shop, mode, items)

    body = answer.json()
    assert (answer.status_code, body["mode"], statuses(answer)) == (200, mode, [201] * 5)
    assert [result["payment"]["amount"] for result in body["results"]] == [f"{n}.00" for n in range(1, 6)]
    assert [result["idempotency_key"] for result in body["results"]] == [one["idempotency_key"] for one in items]
    assert (shop.balance(ann), shop.balance(bob)) == ("85.00", "15.00")


def test_each_payment_sees_what_those_before_it_left(shop, ann, bob):
    cleo = shop.wallet()

    answer = batch(shop, "independent", [item(bob, cleo, "1.00"), item(ann, bob, "1.00"), item(bob, cleo, "1.00")])

    assert statuses(answer) == [422, 201, 201]
    failed = answer.json()["results"][0]["problem"]
    assert failed["code"] == "insufficient_funds"
    assert shop.get(f"/payments/{failed['payment_id']}").json()["status"] == "FAILED"


def test_atomic_is_all_or_none_and_names_the_first_refusal(shop, ann, bob):
    items = [item(ann, bob, "60.00"), item(ann, bob, "60.00"), item(ann, bob, "1.00")]
    payments = value("SELECT count(*) FROM payments")

    answer = batch(shop, "atomic", items, key="whole-" + ann)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (422, "insufficient_funds")
    assert problem["errors"][0]["pointer"] == "/payments/1"
    assert value("SELECT count(*) FROM payments") == payments + 1
    assert shop.get(f"/payments/{problem['payment_id']}").json()["amount"] == "60.00"
    assert (shop.balance(ann), shop.balance(bob)) == ("100.00", "0.00")
    # Its own key is free: alone, the payment happens.
    alone = {name: text for name, text in items[0].items() if name != "idempotency_key"}
    assert shop.post("/payments", alone, key=items[0]["idempotency_key"]).status_code == 201
    again = batch(shop, "atomic", items, key="whole-" + ann)
    assert (again.content, again["Idempotency-Replayed"]) == (answer.content, "true")


def test_atomic_stores_nothing_where_a_payment_can_never_be_right(shop, ann, bob):
    before = snapshot()

    unknown = batch(shop, "atomic", [item(ann, bob, "1.00"), item(ann, str(uuid4()), "1.00")])
    same = batch(shop, "atomic", [item(ann, bob, "1.00"), item(ann, ann, "1.00")])

    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (404, "/payments/1")
    assert (same.status_code, same.json()["code"]) == (422, "same_wallet")
    assert snapshot() == before


def test_the_batchs_key_replays_the_whole_answer(shop, ann, bob):
    items = [item(ann, bob, "1.00"), item(ann, bob, "1000.00"), item(ann, str(uuid4()), "1.00")]
    first = batch(shop, "independent", items, key="batch-" + ann)
    before = snapshot()

    again = batch(shop, "independent", items, key="batch-" + ann)

    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (200, first.content, "true")
    assert batch(shop, "independent", items[:1], key="batch-" + ann).json()["code"] == "idempotency_key_reused"
    assert snapshot() == before


def test_an_item_is_the_same_request_as_the_payment_alone(shop, ann, bob):
    paid, topped = item(ann, bob, "1.00"), {"idempotency_key": uuid4().hex, "wallet_id": ann, "amount": "5.00"}
    alone = {name: text for name, text in paid.items() if name != "idempotency_key"}
    first = shop.post("/payments", alone, key=paid["idempotency_key"])

    answer = batch(shop, "independent", [paid, topped | {"kind": "topup"}])

    results = answer.json()["results"]
    assert [(result["status"], result["replayed"]) for result in results] == [(201, True), (201, False)]
    assert results[0]["payment"] == first.json()
    again = shop.post("/topups", {"wallet_id": ann, "amount": "5.00"}, key=topped["idempotency_key"])
    assert (again.json(), again["Idempotency-Replayed"]) == (results[1]["payment"], "true")
    assert shop.balance(ann) == "104.00"


@pytest.mark.parametrize("mode", ["independent", "atomic"])
def test_a_key_that_comes_twice_in_a_batch_pays_once(shop, ann, bob, mode):
    one = item(ann, bob, "1.00")

    answer = batch(shop, mode, [one, one])

    assert [result["replayed"] for result in answer.json()["results"]] == [False, True]
    assert shop.balance(bob) == "1.00"


def test_a_key_that_comes_twice_for_different_payments_is_refused(shop, ann, bob):
    one = item(ann, bob, "1.00")

    independent = batch(shop, "independent", [one, one | {"amount": "2.00"}])
    atomic = batch(shop, "atomic", [item(ann, bob, "1.00"), one | {"amount": "2.00"}])

    assert statuses(independent) == [201, 422]
    assert independent.json()["results"][1]["problem"]["code"] == "idempotency_key_reused"
    assert (atomic.status_code, atomic.json()["errors"][0]["pointer"]) == (422, "/payments/1")
    assert shop.balance(bob) == "1.00"


def test_a_linked_payment_fails_with_its_predecessor_and_keeps_its_key(shop, ann, bob):
    cleo = shop.wallet()
    items = [
        item(ann, bob, "1000.00"),
        item(ann, cleo, "1.00", after=0),
        item(ann, cleo, "1.00", after=1),
        item(ann, cleo, "1.00"),
        item(ann, cleo, "1.00", after=3),
    ]

    answer = batch(shop, "independent", items)

    assert statuses(answer) == [422, 424, 424, 201, 201]
    assert answer.json()["results"][1]["problem"]["code"] == "predecessor_failed"
    alone = {name: items[1][name] for name in ("sender_wallet_id", "receiver_wallet_id", "amount")}
    assert shop.post("/payments", alone, key=items[1]["idempotency_key"]).status_code == 201


def test_holds_may_stand_in_a_batch(shop, ann, bob):
    answer = batch(shop, "atomic", [item(ann, bob, "5.00", capture=False), item(ann, bob, "95.00")])

    assert [result["payment"]["status"] for result in answer.json()["results"]] == ["AUTHORIZED", "SETTLED"]


GOOD = {"idempotency_key": "k", "sender_wallet_id": str(uuid4()), "receiver_wallet_id": str(uuid4()), "amount": "1"}
WRONG = [
    ([], "/payments"),
    ("x", "/payments"),
    ({"0": GOOD}, "/payments"),
    ([GOOD] * 5001, "/payments"),
    ([GOOD, 7], "/payments/1"),
    ([GOOD | {"amount": "-1"}], "/payments/0/amount"),
    ([GOOD, GOOD | {"amount": 1}], "/payments/1/amount"),
    ([GOOD | {"after": 0}], "/payments/0/after"),
    ([GOOD | {"after": 1}, GOOD | {"after": 0}], "/payments/0/after"),
    ([GOOD, GOOD | {"after": -1}], "/payments/1/after"),
    ([GOOD, GOOD | {"after": "0"}], "/payments/1/after"),
    ([GOOD, GOOD | {"after": False}], "/payments/1/after"),
    ([GOOD | {"kind": "refund"}], "/payments/0/kind"),
    ([GOOD | {"colour": "red"}], "/payments/0/colour"),
    ([GOOD | {"idempotency_key": ""}], "/payments/0/idempotency_key"),
    ([GOOD | {"idempotency_key": "a b"}], "/payments/0/idempotency_key"),
    ([GOOD | {"idempotency_key": "ü"}], "/payments/0/idempotency_key"),
    ([GOOD | {"idempotency_key": 7}], "/payments/0/idempotency_key"),
    ([{name: text for name, text in GOOD.items() if name != "idempotency_key"}], "/payments/0/idempotency_key"),
    ([GOOD | {"kind": "topup"}], "/payments/0/receiver_wallet_id"),
]


@pytest.mark.parametrize(("items", "pointer"), WRONG, ids=[str(n) for n in range(len(WRONG))])
def test_a_batch_with_an_error_is_refused_as_a_whole(shop, items, pointer):
    before = snapshot()

    refused = batch(shop, "independent", items)

    assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")
    assert pointer in [error["pointer"] for error in refused.json()["errors"]]
    assert snapshot() == before


@pytest.mark.parametrize("mode", [None, "", "all", 1, ["atomic"]])
def test_a_batch_has_one_of_two_modes(shop, ann, bob, mode):
    refused = batch(shop, mode, [item(ann, bob, "1.00")])

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/mode")


def test_a_batch_needs_its_key_and_the_scopes_of_its_items(shop, ann, bob):
    teller = actor("client", scopes=frozenset({"payments:write"}))
    before = snapshot()

    assert batch(shop, "atomic", [item(ann, bob, "1.00")], key=None).json()["code"] == "idempotency_key_required"
    topup = {"idempotency_key": "t", "kind": "topup", "wallet_id": ann, "amount": "1.00"}
    assert batch(teller, "atomic", [topup]).status_code == 403
    past = item(ann, bob, "1.00", effective_at="2026-01-31T12:00:00Z")
    assert batch(teller, "atomic", [past]).status_code == 403
    assert snapshot() == before


def test_an_item_cannot_have_the_batchs_own_key(shop, ann, bob):
    one = item(ann, bob, "1.00")
    before = snapshot()

    refused = batch(shop, "independent", [item(ann, bob, "1.00"), one], key=one["idempotency_key"])

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/payments/1/idempotency_key")
    assert snapshot() == before


def test_5000_payments_fit_and_a_larger_body_does_not(shop, ann, bob):
    few = [item(ann, bob, "0.01") for _ in range(5000)]

    assert statuses(batch(shop, "independent", few)) == [201] * 5000
    assert shop.balance(bob) == "50.00"
    assert shop.post("/payments/batch", json.dumps({"mode": "atomic"}) + " " * 2 * 1024 * 1024).status_code == 413


@pytest.mark.parametrize("query", ["", "?dry_run=true"])
def test_an_end_users_batch_has_100_payments_at_most(mallory, shop, bob, query):
    own = shop.wallet(owner=mallory.id, holding="5.00")
    many = [item(own, bob, "0.01") for _ in range(101)]
    before = snapshot()

    refused = mallory.post(f"/payments/batch{query}", {"mode": "atomic", "payments": many})

    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/payments")
    assert snapshot() == before
    assert mallory.post(f"/payments/batch{query}", {"mode": "atomic", "payments": many[:100]}).status_code == 200


def test_the_size_of_an_end_users_batch_is_documented(shop):
    schema = shop.http.get("/api/v1/schema").json()

    assert "100" in schema["components"]["schemas"]["BatchRequest"]["properties"]["payments"]["description"]


def test_batches_beyond_the_few_that_may_wait_are_refused_at_once_and_another_callers_goes_on(shop, ann, bob):
    """Somebody holds the wallet that one caller's batches want; another's want others."""
    other, cleo, dan = actor("client"), shop.wallet(holding="5.00"), shop.wallet()

    def timed(caller, sender, receiver):
        try:
            began = time.monotonic()
            answer = batch(caller, "atomic", [item(sender, receiver, "0.01")])
            return answer.status_code, answer.json().get("code"), time.monotonic() - began
        finally:
            connection.close()

    with connect("owner") as rival, ThreadPoolExecutor(32) as pool:
        rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (ann,))
        crowd = [pool.submit(timed, shop, ann, bob) for _ in range(24)]
        time.sleep(0.5)
        paid = [timed(other, cleo, dan) for _ in range(3)]
        crowded = [one.result(30) for one in crowd]
        rival.rollback()

    assert [status for status, _, _ in paid] == [200] * 3
    assert max(seconds for _, _, seconds in paid) < 1
    refused = [seconds for _, code, seconds in crowded if code == "overloaded"]
    assert len(refused) >= 20
    assert sorted(refused)[19] < 1
