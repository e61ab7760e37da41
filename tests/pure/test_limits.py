"""Limits, overdrafts and adjustments, decided by themselves."""

from __future__ import annotations

import time
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from payments.commands import Adjust, Reauthorize, Refund, Reverse, Review, Void
from payments.limits import limits_of
from payments.state import Limits
from tests.pure.world import ANN, BOB, CLIENT, GEM, NOW, SYSTEM, act, body, declined, hold, id_of, move, only, refused

TODAY = date(2026, 3, 1)
SUSPENSE = UUID(int=204)


def limited(world, *, per_payment=None, per_day=None, spent=0, wallet=ANN, since=TODAY):
    world.state.limits[wallet] = Limits(per_payment, per_day, since if per_day else None, {TODAY: spent})


def test_limits_are_read_with_their_days():
    assert limits_of(1, 2, TODAY, {"2026-03-01": 5}) == Limits(1, 2, TODAY, {TODAY: 5})
    assert limits_of(1, None, None, None) == Limits(1, None, None, {})


@pytest.mark.parametrize("kind", ["transfer", "authorization", "spend"])
def test_a_payment_up_to_the_limit_passes_and_one_above_is_declined(world, kind):
    limited(world, per_payment=1000)
    more = {"kind": kind} | ({"expires_in": 60} if kind == "authorization" else {})
    receiver = None if kind == "spend" else BOB
    assert only(world.do(move("10.00", ANN, receiver, **more))).status == 201
    assert world.plan.counted == {}

    problem, category = declined(world, move("10.01", ANN, receiver, **more))

    assert (problem["code"], problem["status"], category) == ("limit_exceeded", 422, "limit")
    assert (problem["limit"], problem["allowed"], problem["left"]) == ("per_payment", "10.00", "10.00")
    assert problem["detail"] == "The wallet pays 10.00 at most in one payment."


def test_a_day_counts_what_is_paid_and_says_what_is_left(world):
    limited(world, per_day=2500, spent=500)
    outcomes = world.do(move("10.00"), hold("7.50"), move("2.51"), move("2.50", ANN, None, kind="spend"), move("0.01"))

    assert [outcome.status for outcome in outcomes] == [201, 201, 422, 201, 422]
    assert (body(outcomes[2])["left"], body(outcomes[4])["left"]) == ("2.50", "0.00")
    assert body(outcomes[2])["detail"] == "The wallet pays 25.00 a day (UTC) at most, and 2.50 of today's are left."
    assert (body(outcomes[2])["limit"], body(outcomes[2])["allowed"]) == ("per_day", "25.00")
    assert world.plan.counted == {(ANN, TODAY): 2000}


def test_a_limit_that_was_lowered_below_what_is_spent_leaves_nothing(world):
    limited(world, per_day=500, spent=900)
    assert body(only(world.do(move("0.01"))))["left"] == "0.00"


def test_a_day_ends_at_midnight_utc(world):
    limited(world, per_day=1000, spent=1000)
    world.later(hours=11, minutes=59)
    assert only(world.do(move("0.01"))).code == "limit_exceeded"
    world.later(minutes=1)
    assert only(world.do(move("10.00"))).status == 201
    assert world.plan.counted == {(ANN, TODAY + timedelta(days=1)): 1000}
    assert world.state.limits[ANN].spent == {TODAY: 1000, TODAY + timedelta(days=1): 1000}


def test_a_day_is_one_of_utc_wherever_the_server_stands(world, monkeypatch):
    limited(world, per_day=1000)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        world.later(hours=11)  # tomorrow, in Tokyo
        world.do(move("1.00"))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert world.plan.counted == {(ANN, TODAY): 100}


def test_the_smallest_amount_is_counted(world):
    limited(world, per_day=1000)
    world.do(move("0.01"))
    assert world.plan.counted == {(ANN, TODAY): 1}


def test_a_hold_that_is_raised_by_nothing_counts_nothing(world):
    limited(world, per_day=3000)
    payment = id_of(only(world.do(hold("10.00"))))
    world.do(act(Reauthorize, payment, "10.00"))
    assert world.plan.counted == {}


def test_who_receives_is_not_limited_and_nobody_without_limits_is_counted(world):
    limited(world, per_payment=1, per_day=1, wallet=BOB)
    outcomes = world.do(move("5.00"), move("5.00", None, BOB, kind="topup"), move("5.00", None, BOB, kind="bonus"))
    assert [outcome.status for outcome in outcomes] == [201] * 3
    assert world.plan.counted == {}


def test_money_is_asked_for_before_limits_and_a_denial_before_both(world):
    limited(world, per_payment=1)
    assert declined(world, move("100.01"))[0]["code"] == "insufficient_funds"
    assert declined(world, move("100.01", verdict="deny"))[0]["code"] == "payment_denied"


def test_a_raise_counts_the_difference_and_is_asked_about_the_whole(world):
    limited(world, per_payment=3000, per_day=4000)
    payment = id_of(only(world.do(hold("10.00"))))
    assert world.plan.counted == {(ANN, TODAY): 1000}
    assert only(world.do(act(Reauthorize, payment, "30.00"))).status == 201
    assert world.plan.counted == {(ANN, TODAY): 2000}
    assert only(world.do(act(Reauthorize, payment, "5.00"))).status == 201
    assert world.plan.counted == {}
    assert body(only(world.do(act(Reauthorize, payment, "30.01"))))["limit"] == "per_payment"
    assert body(only(world.do(act(Reauthorize, payment, "15.01"))))["left"] == "10.00"
    assert only(world.do(act(Reauthorize, payment, "15.00"))).status == 201


def test_what_ends_or_goes_back_gives_no_room(world):
    limited(world, per_day=3000)
    paid, held = (id_of(outcome) for outcome in world.do(move("10.00"), hold("10.00")))
    world.do(act(Void, held), act(Refund, paid, "10.00"))
    assert (world.plan.counted, world.state.limits[ANN].spent) == ({}, {TODAY: 2000})


@pytest.mark.parametrize("make", [move, hold])
def test_what_waits_for_a_decision_is_counted_and_no_more_where_it_fails(world, make):
    limited(world, per_day=3000)
    denied, allowed = (
        id_of(outcome) for outcome in world.do(make("10.00", verdict="review"), make("20.00", verdict="review"))
    )
    assert world.plan.counted == {(ANN, TODAY): 3000}
    assert only(world.do(make("0.01", verdict="review"))).code == "limit_exceeded"
    world.later(days=1)
    world.do(act(Review, denied, approve=False), act(Review, allowed, approve=True))
    assert world.plan.counted == {(ANN, TODAY): -1000}
    assert world.state.limits[ANN].spent == {TODAY: 2000}


def test_what_was_asked_for_before_days_were_counted_gives_nothing_back(world):
    payment = id_of(only(world.do(move("10.00", verdict="review"))))
    limited(world, per_day=3000, since=TODAY + timedelta(days=1))
    world.do(act(Review, payment, approve=False))
    assert world.plan.counted == {}
    world.state.limits.clear()
    other = id_of(only(world.do(move("10.00", verdict="review"))))
    world.do(act(Review, other, approve=False))
    assert world.plan.counted == {}


def test_a_limit_does_not_stop_what_was_put_aside_within_it(world):
    limited(world, per_payment=1000, per_day=1000)
    payment = id_of(only(world.do(move("10.00", verdict="review"))))
    limited(world, per_payment=1, per_day=1, spent=1000)
    assert body(only(world.do(act(Review, payment, approve=True))))["status"] == "SETTLED"


def test_an_overdraft_pays_and_holds_nothing(world):
    world.state.accounts[ANN].min_available = -500
    assert declined(world, hold("100.01"))[0]["code"] == "insufficient_funds"
    payment = id_of(only(world.do(hold("90.00"))))
    assert only(world.do(act(Reauthorize, payment, "100.01"))).code == "insufficient_funds"
    assert only(world.do(act(Reauthorize, payment, "100.00"))).status == 201
    assert only(world.do(move("5.01"))).code == "insufficient_funds"
    assert only(world.do(move("5.00"))).status == 201
    assert world.money(ANN) == (9500, 10_000)
    with pytest.raises(ValueError, match="cannot hold"):
        world.plan.journal.hold(world.state.accounts[ANN], 1)


def adjust(amount="10.00", sender=SUSPENSE, receiver=ANN, **more):
    usual = {
        "principal": CLIENT, "key": "approval:1", "fingerprint": b"f", "request_id": "req", "traceparent": "trace",
        "reason": "as agreed", "metadata": {"reference": "case 7"},
    }  # fmt: skip
    return Adjust(sender_id=sender, receiver_id=receiver, amount=Decimal(amount), **(usual | more))


@pytest.fixture
def suspense(world):
    world.state.accounts[SUSPENSE] = world.account(SUSPENSE, 0, kind="suspense", floor=None)


def test_an_adjustment_writes_what_any_payment_does(world, suspense):
    limited(world, per_payment=1, per_day=1)
    outcome = only(world.do(adjust("2.50")))

    payment, plan = id_of(outcome), world.plan
    assert (outcome.status, outcome.code) == (201, "settled")
    assert plan.payments == [
        (
            payment, "adjustment", "SETTLED", "EUR", 250, SUSPENSE, ANN, None, CLIENT.id, "approval:1", "req",
            "as agreed", '{"reference":"case 7"}', NOW, NOW, None, None,
        )
    ]  # fmt: skip
    assert plan.journal.transactions == [(payment, "adjustment", 2, NOW, NOW)]
    assert [row[4:7] for row in plan.journal.entries] == [(SUSPENSE, "DEBIT", 250), (ANN, "CREDIT", 250)]
    assert (plan.counted, [fact.type for fact in plan.facts]) == ({}, ["payment.settled"])
    shown = body(outcome)
    assert (shown["sender_wallet_id"], shown["receiver_wallet_id"], shown["captured_amount"]) == (
        None, str(ANN), "0.00",
    )  # fmt: skip
    assert only(world.do(adjust("1.00", ANN, SUSPENSE, key="approval:2"))).status == 201
    assert world.money(ANN) == (10_150, 0)
    assert only(world.do(adjust("1.00", SUSPENSE, SYSTEM["treasury"], key="approval:3"))).status == 201


@pytest.mark.parametrize(
    ("command", "status", "code", "detail"),
    [
        (adjust(sender=UUID(int=7)), 404, "not_found", "There is no such account."),
        (adjust(receiver=UUID(int=7)), 404, "not_found", "There is no such account."),
        (adjust(receiver=SUSPENSE), 422, "same_wallet", "Both sides are the same account."),
        (adjust(sender=BOB), 400, "validation_error", "An adjustment has a system account on one side."),
        (adjust("0.001"), 422, "amount_scale", "EUR has 2 decimals at most."),
    ],
)
def test_what_can_never_be_adjusted_is_refused_and_leaves_nothing(world, suspense, command, status, code, detail):
    outcome = only(world.do(command))
    assert (outcome.status, outcome.code, body(outcome)["detail"]) == (status, code, detail)
    assert (world.plan.is_empty, world.plan.payments) == (True, [])


def test_what_cannot_be_adjusted_now_is_declined(world, suspense):
    assert declined(world, adjust("100.01", ANN, SUSPENSE))[0]["code"] == "insufficient_funds"
    assert declined(world, adjust("1", SUSPENSE, GEM, key="k2"))[0]["code"] == "asset_mismatch"
    world.suspend(ANN)
    assert declined(world, adjust(key="k3"))[0]["detail"] == "The receiver's wallet is SUSPENDED."


def test_an_adjustment_is_not_given_back(world, suspense):
    payment = id_of(only(world.do(adjust())))
    for verb in (Refund, Reverse):
        problem = refused(world, act(verb, payment), current_state="SETTLED")
        assert problem["detail"] == "An adjustment is undone by another adjustment."
