"""Bundles by themselves: all or none, links, one key for the whole, and each word of the answer."""

from dataclasses import replace
from uuid import UUID

import pytest

from ledger.idempotency import StoredOutcome
from payments.bundles import Batch, Bundle, decide_bundle
from payments.commands import Capture, Void
from tests.pure.world import ANN, BOB, CLEO, CLIENT, NOW, act, body, hold, id_of, move


def bundle(commands, *, atomic, after=None, kind=Batch, status=200, key="whole", **more):
    return kind(
        principal=CLIENT, key=key, fingerprint=b"F", request_id="req", traceparent="trace", commands=commands,
        after=after or [None] * len(commands), atomic=atomic, pointer="/payments", status=status, **more,
    )  # fmt: skip


def run(world, wanted):
    (outcome, each), world.plan = decide_bundle(world.state, wanted)
    world.keep()
    return outcome, each


def together(verb, payments, status=201):
    items = [act(verb, payment, key="whole", keeps_key=False) for payment in payments]
    return bundle(items, atomic=True, kind=Bundle, status=status)


@pytest.mark.parametrize("atomic", [True, False])
def test_the_answer_tells_each_result_in_its_place(world, atomic):
    commands = [move("1.00", key="a"), move("2.00", key='b"')]

    outcome, each = run(world, bundle(commands, atomic=atomic))

    payments = [body(one) for one in each]
    assert (outcome.status, outcome.code, outcome.replayed) == (200, "executed", False)
    assert body(outcome) == {
        "mode": "atomic" if atomic else "independent",
        "results": [
            {"index": 0, "idempotency_key": "a", "status": 201, "replayed": False, "payment": payments[0]},
            {"index": 1, "idempotency_key": 'b"', "status": 201, "replayed": False, "payment": payments[1]},
        ],
    }
    assert [key[1] for key in world.plan.keys] == ["a", 'b"', "whole"]
    first = UUID(payments[0]["id"])
    assert world.plan.keys[-1] == (CLIENT.id, "whole", b"F", 200, outcome.body, first, NOW)
    assert world.money(BOB) == (300, 0)


def test_a_refused_item_is_a_problem_in_its_place(world):
    outcome, each = run(world, bundle([move("999.00", key="a"), move("1.00", key="b")], atomic=False))

    results = body(outcome)["results"]
    assert ([one.status for one in each], [one["status"] for one in results]) == ([422, 201], [422, 201])
    assert (results[0]["problem"], "payment" in results[0]) == (body(each[0]), False)


def test_a_link_fails_with_its_predecessor_only(world):
    commands = [move("999.00"), move("1.00"), move("1.00"), move("1.00")]

    _, each = run(world, bundle(commands, atomic=False, after=[None, 0, 1, None]))

    assert [one.status for one in each] == [422, 424, 424, 201]
    problem = body(each[1])
    assert (problem["code"], problem["detail"], problem["outcome"]) == (
        "predecessor_failed", "The payment that this one comes after did not succeed.", "not_executed",
    )  # fmt: skip
    assert [key[1] for key in world.plan.keys] == [commands[0].key, commands[3].key, "whole"]
    _, each = run(world, bundle([move("1.00"), move("1.00")], atomic=False, after=[None, 0], key="other"))
    assert [one.status for one in each] == [201, 201]


def test_a_link_does_not_hide_what_its_key_had_done_before(world):
    paid = move("1.00", key="k")
    _, [before] = run(world, bundle([paid], atomic=False, key="first"))

    _, each = run(world, bundle([move("999.00"), paid], atomic=False, after=[None, 0]))

    assert (each[1].status, each[1].replayed, each[1].body) == (201, True, before.body)


def test_a_decline_takes_an_atomic_bundle_back(world):
    commands = [move("60.00", key="a"), move("60.00", key="b"), move("1.00", key="c")]

    outcome, each = run(world, bundle(commands, atomic=True))

    problem = body(outcome)
    assert (outcome.status, outcome.code, each) == (422, "insufficient_funds", [])
    [error] = problem["errors"]
    assert error == {"pointer": "/payments/1", "code": "insufficient_funds", "detail": problem["detail"]}
    [row] = world.plan.payments
    assert (str(row[0]), row[2], row[4], row[9]) == (problem["payment_id"], "FAILED", 6000, "whole")
    assert world.plan.keys == [(CLIENT.id, "whole", b"F", 422, outcome.body, row[0], NOW)]
    assert ([fact.type for fact in world.plan.facts], world.plan.journal.transactions) == (["payment.failed"], [])
    assert (len(world.plan.failures), world.plan.journal.account_rows()) == (1, [])


def test_what_can_never_be_right_stores_nothing(world):
    outcome, each = run(world, bundle([move("1.00"), move("1.00", receiver=UUID(int=7))], atomic=True))

    assert (outcome.status, outcome.code, each, world.plan.is_empty) == (404, "not_found", [], True)
    assert body(outcome)["errors"][0]["pointer"] == "/payments/1"
    assert (body(outcome)["request_id"], body(outcome)["detail"]) == ("req", "There is no such wallet.")
    outcome, _ = run(world, bundle([move("0.001")], atomic=True))
    assert [error["pointer"] for error in body(outcome)["errors"]] == ["/payments/0"]


def test_an_amount_beyond_all_bounds_is_a_problem_like_any_other(world):
    huge = move("10000000000000000.00")

    outcome, each = run(world, bundle([huge, move("1.00")], atomic=False, after=[None, 0]))
    assert [one.status for one in each] == [400, 424]
    assert "problem" in body(outcome)["results"][0]
    outcome, each = run(world, bundle([move("1.00"), huge], atomic=True, key="atomic"))
    assert (outcome.status, each, world.plan.is_empty) == (400, [], True)


def test_an_item_done_before_counts_as_done(world):
    done = move("1.00", key="a")
    [first] = world.do(done)

    outcome, _ = run(world, bundle([done, move("2.00", key="b")], atomic=True))

    results = body(outcome)["results"]
    assert [(one["replayed"], one["status"]) for one in results] == [(True, 201), (False, 201)]
    assert (results[0]["payment"], world.money(BOB)[0]) == (body(first), 300)


def test_an_item_declined_before_refuses_the_whole_with_its_old_answer(world):
    declined = move("999.00", key="a")
    [first] = world.do(declined)
    world.state.accounts[ANN].balance = 1_000_000

    outcome, _ = run(world, bundle([move("1.00"), declined], atomic=True))

    problem, old = body(outcome), body(first)
    assert (outcome.status, outcome.code, problem["payment_id"]) == (422, "insufficient_funds", old["payment_id"])
    assert (problem["errors"][0]["pointer"], world.plan.payments) == ("/payments/1", [])
    assert world.plan.keys == [(CLIENT.id, "whole", b"F", 422, outcome.body, UUID(old["payment_id"]), NOW)]
    reused, _ = run(world, bundle([replace(declined, fingerprint=b"g")], atomic=True, key="other"))
    assert (reused.code, world.plan.is_empty) == ("idempotency_key_reused", True)


def test_the_key_of_the_whole_replays_the_whole(world):
    wanted = bundle([move("1.00")], atomic=False)
    outcome, _ = run(world, wanted)
    stored = world.plan.keys[-1]
    world.state.keys[CLIENT.id, "whole"] = StoredOutcome(*stored[2:5])

    again, each = run(world, wanted)
    other, _ = run(world, replace(wanted, fingerprint=b"G"))

    assert (again.status, again.body, again.replayed, each) == (200, outcome.body, True, [])
    assert (other.code, world.plan.is_empty, world.money(BOB)[0]) == ("idempotency_key_reused", True, 100)


def test_holds_are_captured_together_each_as_a_payment_of_its_own(world):
    held = [id_of(one) for one in world.do(hold("10.00"), hold("20.00"))]

    outcome, each = run(world, together(Capture, held))

    answer = body(outcome)["data"]
    assert (outcome.status, [one["parent_id"] for one in answer]) == (201, [str(one) for one in held])
    assert (answer, [one["amount"] for one in answer]) == ([body(one) for one in each], ["10.00", "20.00"])
    assert [key[1] for key in world.plan.keys] == ["whole"]
    assert world.plan.keys[0][5] == UUID(answer[0]["id"])
    assert [row[9] for row in world.plan.payments] == ["whole", "whole"]
    assert (world.money(ANN), world.money(BOB)) == ((7000, 0), (3000, 0))


def test_holds_are_voided_together_and_the_key_stands_for_the_first(world):
    held = [id_of(one) for one in world.do(hold("10.00"), hold("20.00"))]

    outcome, _ = run(world, together(Void, held, 200))

    assert (outcome.status, [one["status"] for one in body(outcome)["data"]]) == (200, ["VOIDED", "VOIDED"])
    assert (world.plan.keys[0][5], world.plan.payments, world.money(ANN)[1]) == (held[0], [], 0)


def test_one_that_has_ended_leaves_all_others_as_they_were(world):
    held = [id_of(one) for one in world.do(hold("10.00"), hold("20.00"), hold("5.00"))]
    world.do(act(Void, held[1]))
    state = world.state

    (outcome, _), plan = decide_bundle(state, together(Capture, held))

    problem = body(outcome)
    assert (problem["code"], problem["current_state"]) == ("invalid_state", "VOIDED")
    assert problem["errors"][0]["pointer"] == "/payments/1"
    [row] = plan.payments
    assert (row[1], row[2], row[7], row[9]) == ("capture", "FAILED", held[1], "whole")
    assert (plan.changed, plan.journal.account_rows(), [fact.type for fact in plan.facts]) == (
        {},
        [],
        ["payment.failed"],
    )


def test_a_bundle_that_writes_nothing_of_its_own_still_has_its_key(world):
    outcome, _ = run(world, bundle([move("1.00", receiver=UUID(int=7))], atomic=False))

    assert (outcome.status, [key[1] for key in world.plan.keys]) == (200, ["whole"])
    assert isinstance(world.plan.keys[0][5], UUID)


def test_each_sees_what_those_before_it_left(world):
    _, each = run(world, bundle([move("1.00", BOB, CLEO), move("1.00"), move("1.00", BOB, CLEO)], atomic=False))

    assert [one.status for one in each] == [422, 201, 201]


def test_what_would_have_to_wait_refuses_all(world):
    outcome, each = run(world, bundle([move("1.00"), move("2.00", verdict="review")], atomic=True))

    problem = body(outcome)
    assert (outcome.status, problem["code"], each) == (422, "review_required", [])
    assert problem["detail"] == "This payment needs somebody's decision first: send it alone."
    assert problem["errors"][0]["pointer"] == "/payments/1"
    [row] = world.plan.payments
    assert (row[1], row[2], row[4], row[9]) == ("transfer", "FAILED", 200, "whole")
    assert world.plan.failures[0][1:3] == ("review_required", "risk")


def test_what_waits_has_not_happened_for_what_comes_after_it(world):
    waits, goes = move("1.00", verdict="review"), move("1.00")
    _, each = run(world, bundle([waits, goes, move("2.00"), move("3.00")], atomic=False, after=[None, None, 0, 1]))

    assert [one.status for one in each] == [202, 201, 424, 201]
