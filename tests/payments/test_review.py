"""The policy hook: payments that are denied, or wait for somebody's decision with nothing moved or held."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from tests.actors import actor
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot, value
from tests.payments.holds import act

REVIEW, DENY = {"metadata": {"policy": "review"}}, {"metadata": {"policy": "deny"}}


@pytest.fixture(autouse=True)
def policy(settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"


@pytest.fixture
def wallets(shop):
    return shop.wallet(holding="10.00"), shop.wallet()


def held(wallet):
    return value("SELECT held FROM accounts WHERE id = %s", wallet)


def told(payment):
    return [
        row[0]
        for row in rows(
            "SELECT type FROM (SELECT id, type, subject FROM outbox_events"
            " UNION ALL SELECT outbox_id, type, subject FROM events) AS all_of_them WHERE subject = %s ORDER BY id",
            payment,
        )
    ]


def approve(shop, payment, **more):
    return act(shop, payment, "review", {"approve": True}, **more)


def deny(shop, payment):
    return act(shop, payment, "review", {"approve": False})


def test_what_is_sent_to_review_waits_and_moves_nothing(shop, wallets):
    ann, bob = wallets
    answer = shop.pay(ann, bob, "4.00", **REVIEW)
    assert (answer.status_code, answer.json()["status"]) == (202, "CREATED")
    payment = answer.json()["id"]
    assert (shop.balance(ann), shop.balance(bob), held(ann)) == ("10.00", "0.00", 0)
    assert told(payment) == ["payment.created"]
    assert shop.get(f"/payments?wallet_id={ann}&status=CREATED").json()["data"][0]["id"] == payment
    assert shop.get(f"/transactions/{payment}").status_code == 404


def test_what_is_approved_is_settled_at_that_time(shop, wallets):
    ann, bob = wallets
    payment = shop.pay(ann, bob, "4.00", **REVIEW).json()["id"]
    answer = approve(shop, payment)
    assert (answer.status_code, answer.json()["status"]) == (200, "SETTLED")
    assert answer.json()["transaction_id"] == payment
    assert (shop.balance(ann), shop.balance(bob)) == ("6.00", "4.00")
    assert told(payment) == ["payment.created", "payment.settled"]
    [(effective, booked)] = rows("SELECT effective_at, booked_at FROM transactions WHERE id = %s", payment)
    assert effective == booked > datetime.fromisoformat(answer.json()["created_at"])


def test_what_was_said_to_have_happened_in_the_past_is_settled_as_of_then(shop, wallets):
    ann, bob = wallets
    then = "2026-01-02T03:04:05.000000Z"
    payment = shop.pay(ann, bob, "4.00", effective_at=then, **REVIEW).json()["id"]
    approve(shop, payment)
    assert value("SELECT effective_at FROM transactions WHERE id = %s", payment) == datetime.fromisoformat(then)


def test_what_is_denied_fails_and_moves_nothing(shop, wallets):
    ann, bob = wallets
    payment = shop.pay(ann, bob, "4.00", **REVIEW).json()["id"]
    answer = deny(shop, payment)
    assert (answer.status_code, answer.json()["status"]) == (200, "FAILED")
    assert answer.json()["failure"] == {
        "code": "payment_denied", "category": "risk", "detail": "The payment was denied.",
    }  # fmt: skip
    assert (shop.balance(ann), shop.balance(bob), held(ann)) == ("10.00", "0.00", 0)
    assert told(payment) == ["payment.created", "payment.failed"]


def test_an_authorization_that_is_approved_holds_from_then_on(shop, wallets):
    ann, bob = wallets
    asked = shop.pay(ann, bob, "4.00", capture=False, expires_in=3600, **REVIEW).json()
    assert held(ann) == 0
    approved = approve(shop, asked["id"]).json()
    assert (approved["status"], held(ann)) == ("AUTHORIZED", 400)
    lasts = datetime.fromisoformat(approved["expires_at"]) - datetime.fromisoformat(approved["created_at"])
    assert timedelta(seconds=3600) < lasts < timedelta(seconds=3660)
    assert told(asked["id"]) == ["payment.created", "payment.authorized"]
    captured = act(shop, asked["id"], "capture")
    assert (captured.status_code, shop.balance(bob), held(ann)) == (201, "4.00", 0)


def test_an_authorization_that_is_denied_holds_nothing(shop, wallets):
    ann, bob = wallets
    asked = shop.pay(ann, bob, "4.00", capture=False, **REVIEW).json()
    denied = deny(shop, asked["id"]).json()
    assert (denied["status"], denied["authorized_amount"], denied["expires_at"]) == ("FAILED", None, None)
    assert held(ann) == 0


@pytest.mark.parametrize(
    ("amount", "status", "code"),
    [("10.00", "ACTIVE", "insufficient_funds"), ("4.00", "SUSPENDED", "wallet_not_active")],
)
@pytest.mark.parametrize("capture", [True, False])
def test_what_is_approved_and_no_longer_possible_fails_for_that(shop, wallets, amount, status, code, capture):
    ann, bob = wallets
    payment = shop.pay(ann, bob, amount, capture=capture, **REVIEW).json()["id"]
    shop.pay(ann, bob, "1.00")
    if status != "ACTIVE":
        shop.set_status(bob, status)
    answer = approve(shop, payment)
    assert (answer.status_code, answer.json()["status"], answer.json()["failure"]["code"]) == (200, "FAILED", code)
    assert (shop.balance(ann), held(ann)) == ("9.00", 0)


def test_what_could_not_happen_anyway_fails_at_once(shop, wallets):
    answer = shop.pay(*wallets, "40.00", **REVIEW)
    assert (answer.status_code, answer.json()["code"]) == (422, "insufficient_funds")


def test_what_the_policy_denies_is_declined_for_good(shop, wallets):
    key, before = uuid4().hex, shop.balance(wallets[0])
    answers = [shop.pay(*wallets, "4.00", key=key, **DENY) for _ in range(2)]
    problem = answers[0].json()
    assert (answers[0].status_code, problem["code"], problem["outcome"]) == (422, "payment_denied", "declined")
    assert answers[0].content == answers[1].content
    assert told(problem["payment_id"]) == ["payment.failed"]
    assert shop.balance(wallets[0]) == before


@pytest.mark.parametrize("name", ["broken", "babbling", "no_such_function"])
def test_without_a_verdict_nothing_is_executed(shop, wallets, settings, name):
    settings.PAYMENT_POLICY = f"tests.payments.policies.{name}"
    before, key = snapshot(), uuid4().hex
    answer = shop.pay(*wallets, "4.00", key=key)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (503, "unavailable", True)
    assert answer["Retry-After"]
    assert snapshot() == before
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    assert shop.pay(*wallets, "4.00", key=key).status_code == 201


def test_the_key_of_what_waited_answers_the_same_for_ever(shop, wallets):
    key = uuid4().hex
    first = shop.pay(*wallets, "4.00", key=key, **REVIEW)
    approve(shop, first.json()["id"])
    again = shop.pay(*wallets, "4.00", key=key, **REVIEW)
    assert (again.status_code, again.content, again["Idempotency-Replayed"]) == (202, first.content, "true")
    assert shop.balance(wallets[1]) == "4.00"


def test_a_decision_is_made_once(shop, wallets):
    payment, key = shop.pay(*wallets, "4.00", **REVIEW).json()["id"], uuid4().hex
    first, again = (approve(shop, payment, key=key) for _ in range(2))
    assert first.content == again.content
    late = deny(shop, payment)
    assert (late.status_code, late.json()["code"], late.json()["current_state"]) == (409, "invalid_state", "SETTLED")
    assert shop.balance(wallets[1]) == "4.00"


def test_of_decisions_at_once_one_counts(shop, wallets):
    for _ in range(5):
        payment = shop.pay(*wallets, "1.00", **REVIEW).json()["id"]
        with ThreadPoolExecutor(4) as several:
            tried = [several.submit(one, shop, payment) for one in (approve, deny, approve, deny)]
            answers = [one.result() for one in tried]
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    ended = value("SELECT count(*) FROM payments WHERE sender_id = %s AND status = 'SETTLED'", wallets[0])
    assert shop.balance(wallets[1]) == f"{ended}.00"


def test_what_waits_may_be_withdrawn_and_nothing_else_be_done_with_it(shop, wallets):
    payment = shop.pay(*wallets, "4.00", **REVIEW).json()["id"]
    for verb in ("capture", "extend", "reauthorize", "refund", "reverse"):
        body = {"extend": {"expires_in": 3600}, "reauthorize": {"amount": "5.00"}}.get(verb, {})
        answer = act(shop, payment, verb, body)
        assert (answer.status_code, answer.json()["current_state"]) == (409, "CREATED"), verb
    assert act(shop, payment, "void").json()["status"] == "VOIDED"
    assert told(payment) == ["payment.created", "payment.voided"]
    assert approve(shop, payment).status_code == 409
    hold = shop.pay(*wallets, "4.00", capture=False, **REVIEW).json()["id"]
    assert act(shop, hold, "void").json()["status"] == "VOIDED"
    assert held(wallets[0]) == 0


def test_what_does_not_wait_cannot_be_decided_about(shop, wallets):
    payment = shop.pay(*wallets, "1.00").json()["id"]
    for decide in (approve, deny):
        answer = decide(shop, payment)
        assert (answer.status_code, answer.json()["current_state"]) == (409, "SETTLED")
    failed = shop.get(f"/payments/{answer.json()['payment_id']}").json()
    assert (failed["kind"], failed["status"], failed["parent_id"]) == ("review", "FAILED", payment)


@pytest.mark.parametrize("body", [{}, {"approve": "yes"}, {"approve": 1}, {"approve": None}, {"approve": True, "x": 1}])
def test_a_bad_decision_is_refused_and_changes_nothing(shop, wallets, body):
    payment = shop.pay(*wallets, "4.00", **REVIEW).json()["id"]
    before = snapshot()
    answer = act(shop, payment, "review", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert snapshot() == before


def test_a_client_decides_only_about_assets_that_it_sees(shop, wallets):
    payment = shop.pay(*wallets, "4.00", **REVIEW).json()["id"]
    stranger = actor("client", assets=frozenset({"GEM"}))
    assert approve(stranger, payment).status_code == 404


def test_topups_and_spends_may_wait_too(shop, wallets):
    ann, _ = wallets
    for path, after in (("/topups", "15.00"), ("/spends", "10.00")):
        asked = shop.post(path, {"wallet_id": ann, "amount": "5.00", **REVIEW})
        assert asked.status_code == 202
        assert approve(shop, asked.json()["id"]).json()["status"] == "SETTLED"
        assert shop.balance(ann) == after


def test_a_dry_run_says_that_it_would_wait(shop, wallets):
    before = snapshot()
    answer = shop.post("/payments?dry_run=true", {"sender_wallet_id": wallets[0], "receiver_wallet_id": wallets[1],
                                                  "amount": "1.00", **REVIEW})  # fmt: skip
    assert (answer.status_code, answer.json()["status"]) == (202, "CREATED")
    assert snapshot() == before


def batch(shop, mode, wallets, *items):
    payments = [
        {"idempotency_key": uuid4().hex, "sender_wallet_id": wallets[0], "receiver_wallet_id": wallets[1],
         "amount": "1.00", **item}
        for item in items
    ]  # fmt: skip
    return shop.post("/payments/batch", {"mode": mode, "payments": payments})


def test_in_a_batch_each_waits_alone_and_what_comes_after_it_does_not_happen(shop, wallets):
    results = batch(shop, "independent", wallets, REVIEW, {}, {"after": 0}, {"after": 1}).json()["results"]
    assert [result["status"] for result in results] == [202, 201, 424, 201]
    assert shop.balance(wallets[1]) == "2.00"


def test_all_or_none_cannot_wait(shop, wallets):
    answer = batch(shop, "atomic", wallets, {}, REVIEW, {})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["pointer"]) == (
        422, "review_required", "/payments/1",
    )  # fmt: skip
    assert shop.get(f"/payments/{problem['payment_id']}").json()["failure"]["category"] == "risk"
    assert shop.balance(wallets[1]) == "0.00"


@pytest.mark.parametrize(
    "change",
    ["authorized_amount = 500", "captured_amount = 100", "status = 'AUTHORIZED', authorized_amount = 500",
     "expires_at = expires_at + interval '1 day'", "status = 'SETTLED', captured_amount = 400",
     "status = 'AUTHORIZED', captured_amount = 100", "status = 'AUTHORIZED'", "amount = 500"],
)  # fmt: skip
def test_the_database_keeps_what_waits_as_it_was_asked_for(shop, wallets, change):
    payment = shop.pay(*wallets, "4.00", capture=False, **REVIEW).json()["id"]
    with pytest.raises(psycopg.errors.IntegrityError), connect("owner") as owner:
        owner.execute(f"UPDATE payments SET {change} WHERE id = %s", [payment])
        owner.commit()
