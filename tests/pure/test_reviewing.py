"""Payments under review, decided by themselves: what is put aside, approved, denied."""

from datetime import timedelta

import pytest

from payments.commands import Capture, Review, Void
from tests.pure.world import ANN, BOB, CLIENT, NOW, act, body, hold, id_of, move, only


def review(payment, *, approve, **more):
    return act(Review, payment, approve=approve, **more)


def test_what_is_put_aside_writes_its_payment_its_event_and_its_key_and_moves_nothing(world):
    outcome = only(world.do(move("12.50", key="k", verdict="review")))

    payment, plan = id_of(outcome), world.plan
    assert (outcome.status, outcome.code, outcome.has_happened, outcome.is_kept) == (202, "created", False, True)
    assert [(row[0], row[2], row[4], row[15], row[16]) for row in plan.payments] == [
        (payment, "CREATED", 1250, None, None)
    ]
    assert plan.keys == [(CLIENT.id, "k", b"f", 202, outcome.body, payment, NOW)]
    assert (plan.journal.transactions, plan.journal.account_rows(), plan.failures, plan.changed) == ([], [], [], {})
    assert [(fact.type, fact.subject, fact.data["status"]) for fact in plan.facts] == [
        ("payment.created", payment, "CREATED")
    ]
    assert world.money(ANN) == (10_000, 0)


def test_an_authorization_that_is_put_aside_remembers_how_long_it_would_last(world):
    outcome = only(world.do(hold("5.00", expires_in=600, verdict="review")))
    [row] = world.plan.payments
    assert (row[2], row[15], row[16]) == ("CREATED", 500, NOW + timedelta(seconds=600))
    assert body(outcome)["authorized_amount"] == "5.00"
    assert world.money(ANN) == (10_000, 0)


def test_what_is_approved_posts_now(world):
    payment = id_of(only(world.do(move("12.50", verdict="review"))))
    world.later(hours=1)
    outcome = only(world.do(review(payment, approve=True, key="r")))

    plan, now = world.plan, NOW + timedelta(hours=1)
    assert (outcome.status, outcome.code, body(outcome)["status"]) == (200, "settled", "SETTLED")
    assert plan.journal.transactions == [(payment, "transfer", 2, now, now)]
    assert [row[1:7] for row in plan.journal.entries] == [
        (payment, 2, 1, ANN, "DEBIT", 1250), (payment, 2, 2, BOB, "CREDIT", 1250),
    ]  # fmt: skip
    assert (plan.payments, list(plan.changed), plan.changed[payment].status) == ([], [payment], "SETTLED")
    assert plan.keys == [(CLIENT.id, "r", b"f", 200, outcome.body, payment, now)]
    [fact] = plan.facts
    assert (fact.type, fact.subject, len(fact.data["entries"])) == ("payment.settled", payment, 2)
    assert (world.money(ANN), world.money(BOB)) == ((8750, 0), (1250, 0))


def test_what_was_asked_for_a_time_of_its_own_posts_as_of_then(world):
    then = NOW - timedelta(days=3)
    payment = id_of(only(world.do(move("1.00", verdict="review", effective_at=then))))
    world.later(hours=1)
    world.do(review(payment, approve=True))
    assert world.plan.journal.transactions == [(payment, "transfer", 2, NOW + timedelta(hours=1), then)]


def test_an_authorization_that_is_approved_holds_for_its_time_from_now(world):
    payment = id_of(only(world.do(hold("5.00", expires_in=600, verdict="review"))))
    world.later(hours=1)
    outcome = only(world.do(review(payment, approve=True)))
    changed = world.plan.changed[payment]
    assert (changed.status, changed.authorized_amount) == ("AUTHORIZED", 500)
    assert changed.expires_at == NOW + timedelta(hours=1, seconds=600)
    assert (world.money(ANN), world.plan.journal.transactions) == ((10_000, 500), [])
    assert ([fact.type for fact in world.plan.facts], outcome.code) == (["payment.authorized"], "authorized")
    assert only(world.do(act(Capture, payment, "5.00"))).status == 201


def test_what_is_denied_fails_with_its_reason(world):
    payment = id_of(only(world.do(hold("5.00", verdict="review"))))
    outcome = only(world.do(review(payment, approve=False)))
    changed = world.plan.changed[payment]
    assert (changed.status, changed.authorized_amount, changed.expires_at) == ("FAILED", None, None)
    failure = {"code": "payment_denied", "category": "risk", "detail": "The payment was denied."}
    assert (outcome.status, outcome.code, body(outcome)["failure"]) == (200, "failed", failure)
    assert world.plan.failures == [(payment, *failure.values(), NOW)]
    [fact] = world.plan.facts
    assert (fact.type, fact.subject) == ("payment.failed", payment)
    assert (fact.data["failure"], fact.data["status"]) == (failure, "FAILED")
    assert (world.money(ANN), world.plan.journal.account_rows()) == ((10_000, 0), [])


@pytest.mark.parametrize("asked", [move, hold])
def test_what_is_approved_without_the_money_fails_for_that(world, asked):
    payment = id_of(only(world.do(asked("80.00", verdict="review"))))
    world.do(move("30.00"))
    outcome = only(world.do(review(payment, approve=True)))
    assert (body(outcome)["status"], body(outcome)["failure"]["code"]) == ("FAILED", "insufficient_funds")
    assert world.plan.failures[0][:3] == (payment, "insufficient_funds", "customer")
    assert world.money(ANN) == (7_000, 0)


def test_an_overdraft_is_not_there_for_what_is_approved_to_be_held(world):
    world.state.accounts[ANN].min_available = -5_000
    held, paid = (
        id_of(outcome) for outcome in world.do(hold("80.00", verdict="review"), move("90.00", verdict="review"))
    )
    world.do(move("30.00"))
    failed, settled = world.do(review(held, approve=True), review(paid, approve=True))
    assert (body(failed)["failure"]["code"], body(settled)["status"]) == ("insufficient_funds", "SETTLED")
    assert world.money(ANN) == (-2_000, 0)


def test_what_is_approved_for_a_wallet_that_was_suspended_meanwhile_fails_for_that(world):
    payment = id_of(only(world.do(move("1.00", verdict="review"))))
    world.suspend(BOB)
    failure = body(only(world.do(review(payment, approve=True))))["failure"]
    assert (failure["code"], failure["detail"]) == ("wallet_not_active", "The receiver's wallet is SUSPENDED.")


def test_what_the_policy_denies_is_kept_as_failed(world):
    outcome = only(world.do(move("1.00", key="k", verdict="deny")))
    assert (outcome.status, outcome.code, body(outcome)["detail"]) == (422, "payment_denied", "The payment was denied.")
    assert world.plan.failures[0][1:3] == ("payment_denied", "risk")
    assert [key[1] for key in world.plan.keys] == ["k"]
    assert only(world.do(move("999.00", verdict="deny"))).code == "payment_denied"


@pytest.mark.parametrize("approve", [True, False])
def test_what_does_not_wait_is_not_decided_about(world, approve):
    payment = id_of(only(world.do(move("1.00"))))
    outcome = only(world.do(review(payment, approve=approve)))
    problem = body(outcome)
    assert (problem["code"], problem["current_state"]) == ("invalid_state", "SETTLED")
    assert problem["detail"] == "Nobody has to decide about it: it is SETTLED."
    [row] = world.plan.payments
    assert (row[1], row[2], row[4], row[7]) == ("review", "FAILED", 100, payment)


def test_a_hold_that_has_expired_waits_for_no_decision(world):
    payment = id_of(only(world.do(hold("1.00", expires_in=60))))
    world.later(seconds=60)
    assert body(only(world.do(review(payment, approve=True))))["detail"] == (
        "Nobody has to decide about it: it is EXPIRED."
    )


def test_what_waits_may_be_withdrawn(world):
    payment = id_of(only(world.do(hold("5.00", verdict="review"))))
    outcome = only(world.do(act(Void, payment)))
    assert (outcome.status, body(outcome)["status"]) == (200, "VOIDED")
    assert [fact.type for fact in world.plan.facts] == ["payment.voided"]
    assert world.money(ANN) == (10_000, 0)


def test_what_waits_is_not_captured(world):
    payment = id_of(only(world.do(hold("5.00", verdict="review"))))
    problem = body(only(world.do(act(Capture, payment, "1.00"))))
    assert (problem["code"], problem["current_state"]) == ("invalid_state", "CREATED")
