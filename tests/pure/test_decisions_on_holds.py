"""``decide`` by itself, of holds: how they are captured, changed and ended."""

from datetime import timedelta
from uuid import UUID

import pytest

from payments.commands import Capture, Expire, Extend, Reauthorize, Refund, Void
from tests.pure.world import ANN, BOB, CLIENT, NOW, act, body, declined, hold, id_of, move, only, refused


def test_a_hold_keeps_its_amount_and_its_time(world):
    outcome = only(world.do(hold("30.00", expires_in=60)))

    answer, ends = body(outcome), NOW + timedelta(seconds=60)
    assert (outcome.status, outcome.code) == (201, "authorized")
    assert (answer["authorized_amount"], answer["captured_amount"]) == ("30.00", "0.00")
    assert (answer["expires_at"], answer["transaction_id"]) == ("2026-03-01T12:01:00.000000Z", None)
    assert world.plan.payments[0][15:] == (3000, ends)
    assert world.money(ANN) == (10_000, 3000)
    [fact] = world.plan.facts
    assert (fact.type, fact.subject, fact.data) == (
        "payment.authorized",
        id_of(outcome),
        answer
        | {"id": fact.subject}
        | {
            "sender_wallet_id": ANN,
            "receiver_wallet_id": BOB,
        },
    )
    assert (world.plan.journal.transactions, world.plan.keys[0][5]) == ([], id_of(outcome))
    assert sorted(world.plan.journal.account_rows()) == [(ANN, 10_000, 3000, 3, None)]
    assert declined(world, move("70.01"))[0]["code"] == "insufficient_funds"
    assert only(world.do(move("70.00"))).status == 201


def test_a_capture_moves_the_money_and_tells_of_both(world):
    held = id_of(only(world.do(hold("30.00"))))

    outcome = only(world.do(act(Capture, held, "10.00", final=False)))

    answer, parent = body(outcome), world.plan.changed[held]
    assert (answer["kind"], answer["parent_id"], answer["amount"]) == ("capture", str(held), "10.00")
    assert (answer["captured_amount"], answer["authorized_amount"], answer["expires_at"]) == ("0.00", None, None)
    assert (parent.status, parent.captured_amount, parent.held) == ("AUTHORIZED", 1000, 2000)
    assert (world.money(ANN), world.money(BOB)) == ((9000, 2000), (1000, 0))
    settled, captured = world.plan.facts
    assert (settled.type, settled.subject) == ("payment.settled", id_of(outcome))
    assert (captured.type, captured.subject, captured.data["captured_amount"]) == ("payment.captured", held, "10.00")
    assert "entries" not in captured.data


@pytest.mark.parametrize(
    ("amount", "final", "left"), [(None, True, 0), ("10.00", True, 0), ("30.00", False, 0), ("29.99", False, 1)]
)
def test_a_hold_ends_with_a_final_capture_or_its_last_cent(world, amount, final, left):
    held = id_of(only(world.do(hold("30.00"))))

    only(world.do(act(Capture, held, amount, final=final)))

    payment = world.state.payments[held]
    assert (payment.held, world.money(ANN)[1]) == (left, left)
    assert payment.status == ("AUTHORIZED" if left else "SETTLED")


def test_an_amount_above_what_is_left_is_declined_with_what_is_left(world):
    held = id_of(only(world.do(hold("30.00"))))
    world.do(act(Capture, held, "10.00", final=False))

    state = {"current_state": "AUTHORIZED"}
    problem = refused(world, act(Capture, held, "20.01"), capturable_amount="20.00", **state)
    assert problem["detail"] == "20.00 can be captured."
    assert (world.plan.payments[0][1], world.plan.payments[0][4], world.plan.payments[0][7]) == ("capture", 2001, held)
    refused(world, act(Refund, held, "10.01"), refundable_amount="10.00", **state)
    problem = refused(world, act(Reauthorize, held, "10.00"), captured_amount="10.00", **state)
    assert problem["detail"] == "10.00 are captured already."
    assert only(world.do(act(Capture, held, "20.00"))).status == 201


def test_a_void_releases_and_answers_the_hold(world):
    held = id_of(only(world.do(hold("30.00"))))

    outcome = only(world.do(act(Void, held, key="k")))

    assert (outcome.status, outcome.code, body(outcome)["id"], body(outcome)["status"]) == (
        200, "voided", str(held), "VOIDED",
    )  # fmt: skip
    assert (world.money(ANN), world.plan.payments) == ((10_000, 0), [])
    assert world.plan.keys == [(CLIENT.id, "k", b"f", 200, outcome.body, held, NOW)]
    assert [(fact.type, fact.subject) for fact in world.plan.facts] == [("payment.voided", held)]
    assert world.plan.changed[held].status == "VOIDED"


@pytest.mark.parametrize("ending", ["void", "expiry"])
def test_what_was_captured_in_part_ends_settled(world, ending):
    held = id_of(only(world.do(hold("30.00"))))
    world.do(act(Capture, held, "10.00", final=False))
    if ending == "expiry":
        world.later(seconds=600)

    world.do(act(Void if ending == "void" else Expire, held, keeps_key=ending == "void"))

    assert (world.state.payments[held].status, world.money(ANN)) == ("SETTLED", (9000, 0))
    assert [fact.type for fact in world.plan.facts] == ["payment.captured"]


def test_an_extension_counts_from_now_and_never_shortens(world):
    held = id_of(only(world.do(hold("30.00", expires_in=600))))
    world.later(seconds=100)
    shorter = only(world.do(act(Extend, held, expires_in=499)))
    assert (shorter.code, body(shorter)["errors"][0]["pointer"], world.plan.is_empty) == (
        "validation_error", "/expires_in", True,
    )  # fmt: skip

    same = only(world.do(act(Extend, held, expires_in=500)))
    longer = only(world.do(act(Extend, held, expires_in=700)))

    assert (same.status, longer.status, world.plan.keys[0][5]) == (200, 200, held)
    assert body(shorter)["detail"] == "The authorization lasts longer than that."
    assert body(longer)["expires_at"] == "2026-03-01T12:13:20.000000Z"
    assert world.plan.changed[held].expires_at == NOW + timedelta(seconds=800)
    assert [fact.type for fact in world.plan.facts] == ["payment.authorized"]


def test_a_raise_and_a_lowering_change_what_is_held(world):
    held = id_of(only(world.do(hold("30.00"))))

    raised = only(world.do(act(Reauthorize, held, "50.00")))
    assert (raised.status, body(raised)["kind"], body(raised)["status"]) == (201, "authorization", "SETTLED")
    assert (body(raised)["transaction_id"], body(raised)["parent_id"], world.money(ANN)[1]) == (None, str(held), 5000)
    assert (world.plan.journal.transactions, world.plan.changed[held].authorized_amount) == ([], 5000)
    assert world.plan.keys[0][5] == id_of(raised)
    assert [(fact.type, fact.subject) for fact in world.plan.facts] == [("payment.authorized", held)]
    assert only(world.do(act(Reauthorize, held, "100.00"))).status == 201
    assert declined(world, act(Reauthorize, held, "100.01"))[0]["code"] == "insufficient_funds"
    world.suspend(ANN)
    assert only(world.do(act(Reauthorize, held, "20.00"))).status == 201
    assert only(world.do(act(Reauthorize, held, "20.00"))).status == 201
    assert declined(world, act(Reauthorize, held, "20.01"))[0]["code"] == "wallet_not_active"
    assert world.money(ANN)[1] == 2000


VERBS = [(Capture, None, {}), (Void, None, {}), (Extend, None, {"expires_in": 9000}), (Reauthorize, "40.00", {})]


@pytest.mark.parametrize(("verb", "amount", "more"), VERBS)
def test_from_its_last_moment_on_a_hold_is_expired(world, verb, amount, more):
    held = id_of(only(world.do(hold("30.00", expires_in=600))))
    world.later(seconds=600)
    problem, _ = declined_later(world, act(verb, held, amount, **more))
    assert (problem["code"], problem["current_state"]) == ("invalid_state", "EXPIRED")
    assert (problem["detail"], world.state.payments[held].status) == ("The authorization is EXPIRED.", "AUTHORIZED")

    world.later(microseconds=-1)
    assert only(world.do(act(verb, held, amount, **more))).status < 300


def declined_later(world, command):
    problem = body(only(world.do(command)))
    return problem, world.plan.failures[0][2]


def test_only_a_hold_that_is_due_expires(world):
    due, later, voided = (
        id_of(only(world.do(hold("10.00", expires_in=60)))),
        id_of(only(world.do(hold("10.00", expires_in=600)))),
        id_of(only(world.do(hold("10.00", expires_in=60)))),
    )
    world.do(act(Void, voided))
    world.later(seconds=60)

    outcomes = world.do(*(act(Expire, one, keeps_key=False) for one in (due, later, voided, UUID(int=5))))

    assert [outcome.status for outcome in outcomes] == [200] * 4
    assert [world.state.payments[one].status for one in (due, later, voided)] == ["EXPIRED", "AUTHORIZED", "VOIDED"]
    assert ([fact.type for fact in world.plan.facts], world.plan.keys) == (["payment.expired"], [])
    assert (list(world.plan.changed), world.money(ANN), world.plan.is_empty) == ([due], (10_000, 1000), False)


def test_a_verb_that_needs_a_hold_says_what_it_was_given(world):
    paid = id_of(only(world.do(move("10.00"))))

    for verb, amount, more in VERBS:
        problem = refused(world, act(verb, paid, amount, **more), current_state="SETTLED")
        assert problem["detail"] == "It holds nothing: it is a transfer."
    assert world.plan.payments[0][1] == "authorization"
    problem = refused(world, act(Void, paid))
    assert (world.plan.payments[0][1], world.plan.payments[0][4]) == ("void", 1000)
    assert only(world.do(act(Void, UUID(int=5)))).code == "not_found"
