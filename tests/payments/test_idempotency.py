"""One key, one effect: replays answer the same bytes, and a key means one request only."""

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from tests.actors import actor
from tests.money import snapshot, value


def test_a_repeated_request_answers_the_same_bytes_and_does_nothing(shop):
    ann, bob, key = shop.wallet(holding="10.00"), shop.wallet(), uuid4().hex
    first = shop.pay(ann, bob, "4.00", key=key)
    before = snapshot()

    again = shop.pay(ann, bob, "4.00", key=key)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    assert snapshot() == before


def test_white_space_and_the_order_of_members_make_no_other_request(shop):
    ann, key = shop.wallet(), uuid4().hex
    first = shop.post("/topups", {"wallet_id": ann, "amount": "1.00"}, key=key)

    again = shop.post("/topups", f'  {{ "amount" : "1.00",\n"wallet_id":"{ann}" }} ', key=key)

    assert again.content == first.content
    assert shop.balance(ann) == "1.00"


def test_a_quoted_key_is_the_same_key_as_the_bare_one(shop):
    ann = shop.wallet()
    first = shop.post("/topups", {"wallet_id": ann, "amount": "1.00"}, key="order-1" + ann)

    again = shop.post("/topups", {"wallet_id": ann, "amount": "1.00"}, key=f'"order-1{ann}"')

    assert again.content == first.content
    assert shop.balance(ann) == "1.00"


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("/payments", {"amount": "4.01"}),
        ("/payments", {"description": "other"}),
        ("/payments", {"metadata": {"a": "b"}}),
        ("/topups", {}),
    ],
)
def test_the_same_key_with_another_request_is_refused_and_does_nothing(shop, path, change):
    ann, bob, key = shop.wallet(holding="10.00"), shop.wallet(), uuid4().hex
    shop.pay(ann, bob, "4.00", key=key)
    before = snapshot()
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "4.00"} | change
    if path == "/topups":
        body = {"wallet_id": ann, "amount": "4.00"}

    answer = shop.post(path, body, key=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert answer.json()["outcome"] == "not_executed"
    assert snapshot() == before


def test_a_used_key_is_told_before_an_unknown_wallet(shop):
    ann, bob, key = shop.wallet(holding="10.00"), shop.wallet(), uuid4().hex
    shop.pay(ann, bob, "4.00", key=key)

    assert shop.pay(ann, str(uuid4()), "4.00", key=key).json()["code"] == "idempotency_key_reused"


def test_anothers_equal_key_is_another_key(shop):
    other, ann, key = actor("client"), shop.wallet(), uuid4().hex
    body = {"wallet_id": ann, "amount": "1.00"}

    answers = [one.post("/topups", body, key=key) for one in (shop, other)]

    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json()["id"] != answers[1].json()["id"]
    assert shop.balance(ann) == "2.00"


def test_a_decline_is_final_for_its_key_also_when_funds_arrive(shop):
    ann, bob, key = shop.wallet(), shop.wallet(), uuid4().hex
    declined = shop.pay(ann, bob, "1.00", key=key)
    shop.post("/topups", {"wallet_id": ann, "amount": "5.00"})

    again = shop.pay(ann, bob, "1.00", key=key)

    assert (again.status_code, again.content) == (422, declined.content)
    assert shop.balance(ann) == "5.00"


def test_what_was_not_executed_leaves_its_key_free(shop):
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), uuid4().hex
    assert shop.pay(ann, str(uuid4()), "1.00", key=key).status_code == 404
    assert shop.pay(ann, ann, "1.00", key=key).status_code == 422
    assert shop.pay(ann, bob, "1.001", key=key).status_code == 422

    assert shop.pay(ann, bob, "1.00", key=key).status_code == 201


def test_a_replay_answers_the_old_truth_after_the_wallet_was_suspended(shop):
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), uuid4().hex
    first = shop.pay(ann, bob, "1.00", key=key)
    assert shop.set_status(ann, "SUSPENDED").status_code == 200

    assert shop.pay(ann, bob, "1.00", key=key).content == first.content


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "idempotency_key_required"),
        ("", "idempotency_key_invalid"),
        ("a b", "idempotency_key_invalid"),
        ("a,b", "idempotency_key_invalid"),
        ('"a', "idempotency_key_invalid"),
        ('""', "idempotency_key_invalid"),
        ("x" * 256, "idempotency_key_invalid"),
        ("caf\u00e9", "idempotency_key_invalid"),
    ],
)
def test_a_missing_or_malformed_key_is_refused(shop, header, code):
    ann = shop.wallet()
    before = snapshot()

    answer = shop.post("/topups", {"wallet_id": ann, "amount": "1.00"}, key=header)

    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert snapshot() == before


def test_a_key_of_255_visible_characters_is_a_key(shop):
    ann = shop.wallet()
    key = (ann + "!~#$%&'()*+-./:;<=>?@[]^_`{|}" * 9)[:255]

    assert shop.post("/topups", {"wallet_id": ann, "amount": "1.00"}, key=key).status_code == 201


def test_64_copies_at_once_have_one_effect_and_one_answer(shop):
    ann, bob, key = shop.wallet(holding="100.00"), shop.wallet(), uuid4().hex

    def copy(_: int) -> tuple[int, bytes]:
        try:
            answer = shop.pay(ann, bob, "1.00", key=key)
            return answer.status_code, answer.content
        finally:
            connection.close()

    with ThreadPoolExecutor(64) as pool:
        answers = set(pool.map(copy, range(64)))

    assert len(answers) == 1
    assert next(iter(answers))[0] == 201
    assert (shop.balance(ann), shop.balance(bob)) == ("99.00", "1.00")


def test_one_key_on_many_wallets_at_once_has_one_effect(shop):
    """No wallet lock is shared here: only the key itself keeps the copies apart."""
    senders, key = [shop.wallet(holding="10.00") for _ in range(16)], uuid4().hex
    bob = [shop.wallet() for _ in senders]

    def attempt(place: int) -> str:
        try:
            answer = shop.pay(senders[place], bob[place], "1.00", key=key)
            return "settled" if answer.status_code == 201 else answer.json()["code"]
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        outcomes = sorted(pool.map(attempt, range(16)))

    assert outcomes.count("settled") == 1
    assert set(outcomes) <= {"settled", "idempotency_key_reused"}
    assert value("SELECT count(*) FROM payments WHERE idempotency_key = %s", key) == 1


def test_opening_a_wallet_takes_a_key_too(shop):
    key, wanted = uuid4().hex, {"user_id": str(uuid4()), "asset": "EUR"}

    def attempt(_: int) -> bytes:
        try:
            return bytes(shop.post("/wallets", wanted, key=key).content)
        finally:
            connection.close()

    with ThreadPoolExecutor(16) as pool:
        bodies = set(pool.map(attempt, range(16)))

    assert len(bodies) == 1
    assert value("SELECT count(*) FROM wallets WHERE user_id = %s", wanted["user_id"]) == 1
    reused = shop.post("/wallets", wanted | {"asset": "GEM"}, key=key)
    assert (reused.status_code, reused.json()["code"]) == (422, "idempotency_key_reused")
    assert json.loads(next(iter(bodies)))["status"] == "CREATED"
