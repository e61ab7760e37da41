"""Authorize, capture, void, extend, reauthorize, expire: a hold ends exactly once, and gives what it held."""

import pytest

from payments.expiry import expire_holds
from tests.ledger.test_database_rules import connect
from tests.money import snapshot, value
from tests.payments.holds import act, authorize, facts, held, status, wait_until_due


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def test_an_authorization_holds_the_amount_on_its_sender(shop, ann, bob):
    answer = shop.pay(ann, bob, "30.00", capture=False, expires_in=60)

    hold = answer.json()
    assert answer.status_code == 201
    assert (hold["kind"], hold["status"], hold["transaction_id"]) == ("authorization", "AUTHORIZED", None)
    assert (hold["authorized_amount"], hold["captured_amount"]) == ("30.00", "0.00")
    assert hold["expires_at"] > hold["created_at"]
    assert held(shop, ann) == ("100.00", "30.00", "70.00")
    assert shop.get(f"/payments/{hold['id']}").json() == hold
    assert facts(hold["id"]) == ["payment.authorized"]


def test_what_is_held_cannot_be_spent_or_held_again(shop, ann, bob):
    authorize(shop, ann, bob, "70.00")

    assert shop.pay(ann, bob, "30.01").json()["code"] == "insufficient_funds"
    assert shop.pay(ann, bob, "30.01", capture=False).json()["code"] == "insufficient_funds"
    assert shop.pay(ann, bob, "30.00").status_code == 201


def test_a_capture_of_all_settles_the_authorization(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")

    answer = act(shop, hold, "capture")

    capture = answer.json()
    assert answer.status_code == 201
    assert (capture["kind"], capture["status"], capture["amount"]) == ("capture", "SETTLED", "30.00")
    assert (capture["parent_id"], capture["transaction_id"]) == (hold, capture["id"])
    assert (shop.balance(ann), shop.balance(bob)) == ("70.00", "30.00")
    assert held(shop, ann) == ("70.00", "0.00", "70.00")
    settled = shop.get(f"/payments/{hold}").json()
    assert (settled["status"], settled["captured_amount"], settled["transaction_id"]) == ("SETTLED", "30.00", None)
    assert facts(hold) == ["payment.authorized", "payment.captured"]
    assert facts(capture["id"]) == ["payment.settled"]


def test_a_final_capture_releases_the_rest(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")

    assert act(shop, hold, "capture", {"amount": "10.00"}).status_code == 201

    assert (status(shop, hold), held(shop, ann)) == ("SETTLED", ("90.00", "0.00", "90.00"))


def test_captures_in_part_leave_the_rest_held_until_nothing_is_left(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")

    for expected in ("20.00", "10.00"):
        assert act(shop, hold, "capture", {"amount": "10.00", "final": False}).status_code == 201
        assert (status(shop, hold), held(shop, ann)[1]) == ("AUTHORIZED", expected)
    assert act(shop, hold, "capture", {"amount": "10.00", "final": False}).status_code == 201

    assert (status(shop, hold), held(shop, ann), shop.balance(bob)) == ("SETTLED", ("70.00", "0.00", "70.00"), "30.00")


def test_no_more_is_captured_than_is_held(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")
    act(shop, hold, "capture", {"amount": "10.00", "final": False})

    refused = act(shop, hold, "capture", {"amount": "20.01"})

    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["current_state"]) == (409, "invalid_state", "AUTHORIZED")
    assert problem["capturable_amount"] == "20.00"
    failed = shop.get(f"/payments/{problem['payment_id']}").json()
    assert (failed["kind"], failed["status"], failed["parent_id"]) == ("capture", "FAILED", hold)
    assert failed["amount"] == "20.01"
    assert (status(shop, hold), held(shop, ann)[1], shop.balance(bob)) == ("AUTHORIZED", "20.00", "10.00")


def test_a_void_releases_everything_and_says_so(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")

    answer = act(shop, hold, "void", {"reason": "Out of stock"})

    assert (answer.status_code, answer.json()["id"], answer.json()["status"]) == (200, hold, "VOIDED")
    assert held(shop, ann) == ("100.00", "0.00", "100.00")
    assert facts(hold) == ["payment.authorized", "payment.voided"]


def test_a_void_after_a_capture_in_part_ends_settled(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")
    act(shop, hold, "capture", {"amount": "10.00", "final": False})

    answer = act(shop, hold, "void")

    assert (answer.json()["status"], answer.json()["captured_amount"]) == ("SETTLED", "10.00")
    assert held(shop, ann) == ("90.00", "0.00", "90.00")


def test_a_raise_holds_more_and_a_lowering_less(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")

    raised = act(shop, hold, "reauthorize", {"amount": "50.00"})
    assert (raised.status_code, raised.json()["parent_id"], raised.json()["amount"]) == (201, hold, "50.00")
    assert (raised.json()["status"], raised.json()["transaction_id"]) == ("SETTLED", None)
    assert held(shop, ann)[1] == "50.00"
    assert act(shop, hold, "reauthorize", {"amount": "20.00"}).status_code == 201
    assert held(shop, ann)[1] == "20.00"

    shown = shop.get(f"/payments/{hold}").json()
    assert (shown["amount"], shown["authorized_amount"]) == ("30.00", "20.00")


def test_a_raise_needs_funds_and_a_lowering_stays_above_what_is_captured(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")
    act(shop, hold, "capture", {"amount": "10.00", "final": False})

    assert act(shop, hold, "reauthorize", {"amount": "100.01"}).json()["code"] == "insufficient_funds"
    refused = act(shop, hold, "reauthorize", {"amount": "10.00"}).json()

    assert (refused["code"], refused["captured_amount"]) == ("invalid_state", "10.00")
    assert held(shop, ann)[1] == "20.00"


def test_an_extension_lets_it_last_longer_and_never_shorter(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00", expires_in=600)
    before = shop.get(f"/payments/{hold}").json()["expires_at"]

    shorter = act(shop, hold, "extend", {"expires_in": 60})
    longer = act(shop, hold, "extend", {"expires_in": 1200})

    assert (shorter.status_code, shorter.json()["errors"][0]["pointer"]) == (400, "/expires_in")
    assert (longer.status_code, longer.json()["expires_at"] > before) == (200, True)


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("capture", {}),
        ("void", {}),
        ("extend", {"expires_in": 60}),
        ("reauthorize", {"amount": "40.00"}),
    ],
)
def test_after_its_time_nothing_is_done_about_it_although_no_job_ran(shop, ann, bob, verb, body):
    hold = authorize(shop, ann, bob, "30.00", expires_in=1)
    wait_until_due(hold)

    refused = act(shop, hold, verb, body)

    assert (refused.status_code, refused.json()["code"], refused.json()["current_state"]) == (
        409, "invalid_state", "EXPIRED",
    )  # fmt: skip
    assert (status(shop, hold), held(shop, ann)[1]) == ("AUTHORIZED", "30.00")


def test_the_sweep_ends_what_is_due_and_nothing_else(shop, ann, bob):
    due, captured, later = (
        authorize(shop, ann, bob, "10.00", expires_in=3),
        authorize(shop, ann, bob, "10.00", expires_in=3),
        authorize(shop, ann, bob, "10.00", expires_in=600),
    )
    act(shop, captured, "capture", {"amount": "4.00", "final": False})
    shop.set_status(ann, "SUSPENDED")
    for hold in (due, captured):
        wait_until_due(hold)

    list(expire_holds())
    before = snapshot()
    list(expire_holds())

    assert snapshot() == before
    assert [status(shop, hold) for hold in (due, captured, later)] == ["EXPIRED", "SETTLED", "AUTHORIZED"]
    assert held(shop, ann) == ("96.00", "10.00", "86.00")
    assert (facts(due)[-1], facts(captured)[-1]) == ("payment.expired", "payment.captured")


def test_a_wallet_that_somebody_holds_does_not_hold_up_the_expiry_of_others(shop, ann, bob):
    carol = shop.wallet(holding="10.00")
    stuck, due = authorize(shop, carol, bob, "1.00", expires_in=1), authorize(shop, ann, bob, "1.00", expires_in=1)
    wait_until_due(due)

    with connect("owner") as rival:
        rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (carol,))
        list(expire_holds())
        rival.rollback()

    assert (status(shop, stuck), status(shop, due)) == ("AUTHORIZED", "EXPIRED")
    list(expire_holds())
    assert status(shop, stuck) == "EXPIRED"


def test_a_replay_answers_the_same_after_the_authorization_has_gone_on(shop, ann, bob):
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "30.00", "capture": False}
    first = shop.post("/payments", body, key="hold-" + ann)
    captured = act(shop, first.json()["id"], "capture", key="take-" + ann)
    before = snapshot()

    again = shop.post("/payments", body, key="hold-" + ann)
    captured_again = act(shop, first.json()["id"], "capture", key="take-" + ann)

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert (captured_again.content, captured_again["Idempotency-Replayed"]) == (captured.content, "true")
    assert snapshot() == before


def test_a_suspended_wallet_is_not_captured_from_but_is_released(shop, ann, bob):
    hold, other = authorize(shop, ann, bob, "30.00"), authorize(shop, ann, bob, "5.00")
    shop.set_status(ann, "SUSPENDED")

    refused = act(shop, hold, "capture")
    raised = act(shop, hold, "reauthorize", {"amount": "31.00"})

    assert (refused.json()["code"], refused.json()["current_state"]) == ("wallet_not_active", "SUSPENDED")
    assert raised.json()["code"] == "wallet_not_active"
    assert act(shop, hold, "reauthorize", {"amount": "29.00"}).status_code == 201
    assert act(shop, other, "void").status_code == 200
    assert held(shop, ann) == ("100.00", "29.00", "71.00")


def test_a_wallet_with_something_held_does_not_close(shop, ann, bob):
    shop.pay(ann, bob, "100.00")
    back = authorize(shop, bob, ann, "100.00")
    shop.set_status(bob, "SUSPENDED")

    assert shop.set_status(bob, "CLOSED").status_code == 409
    assert act(shop, back, "void").status_code == 200


def test_an_end_user_authorizes_from_its_own_wallet_and_captures_nothing(shop, mallory, bob):
    own = shop.wallet(owner=mallory.id, holding="10.00")
    hold = authorize(mallory, own, bob, "5.00")
    before = snapshot()

    for verb in ("capture", "void", "extend", "reauthorize", "refund", "reverse"):
        assert act(mallory, hold, verb, {}).status_code == 403
    assert mallory.pay(bob, own, "1.00", capture=False).status_code == 404
    assert snapshot() == before


def test_what_is_not_the_clients_asset_is_not_found(shop, ann, bob):
    from tests.actors import actor

    hold = authorize(shop, ann, bob, "5.00")
    gems = actor("client", assets=frozenset({"GEM"}))
    before = snapshot()

    assert {act(gems, hold, verb, {}).status_code for verb in ("capture", "void", "refund", "reverse")} == {404}
    assert act(shop, bob, "capture").status_code == 404
    assert snapshot() == before


def test_holds_end_together_or_not_at_all(shop, ann, bob):
    holds = [authorize(shop, ann, bob, "10.00") for _ in range(3)]
    act(shop, holds[1], "void")
    before = value("SELECT count(*) FROM payments")

    refused = shop.post("/payments/captures", {"payment_ids": holds}, key="all-" + ann)

    problem = refused.json()
    assert (refused.status_code, problem["code"], problem["current_state"]) == (409, "invalid_state", "VOIDED")
    assert problem["errors"][0]["pointer"] == "/payment_ids/1"
    assert shop.get(f"/payments/{problem['payment_id']}").json()["parent_id"] == holds[1]
    assert value("SELECT count(*) FROM payments") == before + 1
    assert [status(shop, hold) for hold in holds] == ["AUTHORIZED", "VOIDED", "AUTHORIZED"]
    again = shop.post("/payments/captures", {"payment_ids": holds}, key="all-" + ann)
    assert (again.content, again["Idempotency-Replayed"]) == (refused.content, "true")

    done = shop.post("/payments/captures", {"payment_ids": [holds[0], holds[2]]}, key="two-" + ann)
    assert (done.status_code, [one["parent_id"] for one in done.json()["data"]]) == (201, [holds[0], holds[2]])
    assert held(shop, ann) == ("80.00", "0.00", "80.00")
    again = shop.post("/payments/captures", {"payment_ids": [holds[0], holds[2]]}, key="two-" + ann)
    assert again.content == done.content


def test_holds_are_voided_together(shop, ann, bob):
    holds = [authorize(shop, ann, bob, "10.00") for _ in range(3)]

    done = shop.post("/payments/voids", {"payment_ids": holds})

    assert (done.status_code, [one["status"] for one in done.json()["data"]]) == (200, ["VOIDED"] * 3)
    assert held(shop, ann) == ("100.00", "0.00", "100.00")


@pytest.mark.parametrize("ids", [[], "x", ["x"], [None], {"a": 1}])
def test_ids_that_are_none_are_refused(shop, ids):
    refused = shop.post("/payments/captures", {"payment_ids": ids})

    assert (refused.status_code, refused.json()["code"]) == (400, "validation_error")


def test_an_id_given_twice_is_refused(shop, ann, bob):
    hold = authorize(shop, ann, bob, "10.00")
    before = snapshot()

    assert shop.post("/payments/captures", {"payment_ids": [hold, hold]}).status_code == 400
    assert snapshot() == before
