"""``decide`` by itself, of refunds and reversals."""

from uuid import UUID

import pytest

from ledger.money import MAX_BALANCE
from payments.commands import Capture, Reauthorize, Refund, Reverse, Void
from tests.pure.world import ANN, BOB, CLEO, GEM, act, body, declined, hold, id_of, move, only, refused


def test_a_refund_goes_back_the_way_it_came(world):
    paid = id_of(only(world.do(move("10.00"))))

    part = only(world.do(act(Refund, paid, "4.00", reason="Broken")))
    answer = body(part)
    assert (answer["sender_wallet_id"], answer["receiver_wallet_id"]) == (str(BOB), str(ANN))
    assert (answer["kind"], answer["description"], answer["transaction_id"]) == ("refund", "Broken", answer["id"])
    assert [(fact.type, fact.subject) for fact in world.plan.facts][1] == ("payment.refunded", paid)
    assert world.plan.facts[1].data["refunded_amount"] == "4.00"
    refused(world, act(Refund, paid, "6.01"), refundable_amount="6.00")
    assert body(only(world.do(act(Refund, paid))))["amount"] == "6.00"
    problem = refused(world, act(Refund, paid), refundable_amount="0.00")
    assert (problem["detail"], world.plan.payments[0][4]) == ("0.00 can be refunded.", 1000)
    assert (world.money(ANN), world.money(BOB)) == ((10_000, 0), (0, 0))


def test_who_gives_back_must_have_it_and_both_must_be_active(world):
    paid = id_of(only(world.do(move("10.00"))))
    world.do(move("5.00", BOB, CLEO))
    for verb in (Refund, Reverse):
        assert declined(world, act(verb, paid))[0]["code"] == "insufficient_funds"
    world.suspend(ANN)
    for verb in (Refund, Reverse):
        problem = declined(world, act(verb, paid))[0]
        assert (problem["code"], problem["detail"]) == ("wallet_not_active", "The receiver's wallet is SUSPENDED.")


def test_a_cent_is_refunded_like_any_amount(world):
    paid = id_of(only(world.do(move("0.01"))))

    assert only(world.do(act(Refund, paid))).status == 201


@pytest.mark.parametrize("wallet", [ANN, BOB])
def test_nothing_is_captured_to_or_from_a_wallet_that_is_not_active(world, wallet):
    held = id_of(only(world.do(hold("10.00"))))
    world.suspend(wallet)

    assert declined(world, act(Capture, held))[0]["code"] == "wallet_not_active"


def test_an_overflow_stops_captures_refunds_and_reversals(world):
    held = id_of(only(world.do(hold("10.00"))))
    paid = id_of(only(world.do(move("10.00"))))
    world.state.accounts[BOB].balance = MAX_BALANCE - 999
    assert declined(world, act(Capture, held))[0]["code"] == "balance_overflow"
    world.state.accounts[ANN].balance = MAX_BALANCE - 999
    for verb in (Refund, Reverse):
        assert declined(world, act(verb, paid))[0]["code"] == "balance_overflow"


def test_what_belongs_to_another_payment_is_not_refunded_or_reversed(world):
    held = id_of(only(world.do(hold("10.00"))))
    capture = id_of(only(world.do(act(Capture, held, "5.00", final=False))))
    problem = refused(world, act(Refund, capture), current_state="SETTLED")
    assert problem["detail"] == "Not a capture: refund the payment that it belongs to."
    for one, kind in ((capture, "capture"), (held, "authorization")):
        assert refused(world, act(Reverse, one))["detail"] == f"Not a {kind}: only a payment in one step is reversed."
    raised = id_of(only(world.do(act(Reauthorize, held, "12.00"))))
    refused(world, act(Refund, raised), current_state="SETTLED")
    refused(world, act(Void, raised), current_state="SETTLED")


def test_a_reversal_is_of_the_whole_and_once(world):
    paid, other = id_of(only(world.do(move("10.00")))), id_of(only(world.do(move("10.00"))))

    outcome = only(world.do(act(Reverse, paid)))

    assert (outcome.status, body(outcome)["kind"], body(outcome)["amount"]) == (201, "reversal", "10.00")
    assert world.state.payments[paid].refunded_amount == 1000
    given_back = "Money of it has been given back already."
    assert refused(world, act(Reverse, paid))["detail"] == given_back
    world.do(act(Refund, other, "0.01"))
    assert refused(world, act(Reverse, other))["detail"] == given_back
    failed = UUID(body(only(world.do(move("999.00"))))["payment_id"])
    assert refused(world, act(Reverse, failed), current_state="FAILED")["detail"] == "The payment is FAILED."


def test_amounts_of_verbs_are_read_like_all_amounts(world):
    held = id_of(only(world.do(hold("10.00"))))

    for verb in (Capture, Reauthorize, Refund):
        outcome = only(world.do(act(verb, held, "0.001")))
        assert (outcome.code, body(outcome)["errors"][0]["pointer"]) == ("amount_scale", "/amount")
        assert body(outcome)["detail"] == "EUR has 2 decimals at most."
        outcome = only(world.do(act(verb, held, "99999999999999999")))
        assert (outcome.code, world.plan.is_empty) == ("validation_error", True)
        assert body(outcome)["detail"] == "The amount is above 9999999999999999.99."


def test_a_refund_of_what_failed_between_two_assets_is_kept_in_the_asset_that_was_asked_for(world):
    failed = UUID(body(only(world.do(move("5.00", receiver=GEM))))["payment_id"])

    for verb in (Refund, Reverse):
        refused(world, act(verb, failed), current_state="FAILED")
        assert world.plan.payments[0][3:7] == ("EUR", 500, ANN, GEM)


def test_what_one_person_gives_back_stays_small_whatever_came_in_between(world):
    def code(*verb, **more):
        outcome = only(world.do(act(Refund, *verb, **more)))
        return outcome.status if outcome.status < 400 else body(outcome)["code"]

    paid = id_of(only(world.do(move("10.00"))))
    assert code(paid, "2.00", at_most=250) == 201
    assert code(paid, "2.00", at_most=250) == "lock_timeout"
    assert world.plan.is_empty
    assert code(paid, "2.00") == 201
    assert code(paid, "9.00", at_most=250) == "invalid_state"
    held = id_of(only(world.do(hold("10.00"))))
    world.do(act(Capture, held))
    assert code(held, at_most=250) == "lock_timeout"
    assert code(held, "2.50", at_most=250) == 201
