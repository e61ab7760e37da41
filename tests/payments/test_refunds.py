"""Refunds go back to where the money came from, never more than came; a reversal undoes the whole, once."""

import pytest

from tests.money import rows, snapshot
from tests.payments.holds import act, authorize, facts, status


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def test_a_refund_gives_the_money_back(shop, ann, bob):
    paid = shop.pay(ann, bob, "30.00").json()["id"]

    answer = act(shop, paid, "refund", {"reason": "Returned"})

    refund = answer.json()
    assert (answer.status_code, refund["kind"], refund["status"], refund["amount"]) == (
        201, "refund", "SETTLED", "30.00",
    )  # fmt: skip
    assert (refund["sender_wallet_id"], refund["receiver_wallet_id"], refund["parent_id"]) == (bob, ann, paid)
    assert (shop.balance(ann), shop.balance(bob)) == ("100.00", "0.00")
    assert shop.get(f"/payments/{paid}").json()["refunded_amount"] == "30.00"
    assert facts(paid) == ["payment.settled", "payment.refunded"]


def test_refunds_in_part_add_up_to_what_was_paid_and_no_further(shop, ann, bob):
    paid = shop.pay(ann, bob, "30.00").json()["id"]
    assert act(shop, paid, "refund", {"amount": "10.00"}).status_code == 201

    refused = act(shop, paid, "refund", {"amount": "20.01"}).json()
    assert (refused["code"], refused["refundable_amount"], refused["current_state"]) == (
        "invalid_state", "20.00", "SETTLED",
    )  # fmt: skip
    assert act(shop, paid, "refund").json()["amount"] == "20.00"
    assert act(shop, paid, "refund").json()["refundable_amount"] == "0.00"
    assert (shop.balance(ann), shop.balance(bob)) == ("100.00", "0.00")


def test_a_hold_is_refunded_up_to_what_was_captured(shop, ann, bob):
    hold = authorize(shop, ann, bob, "30.00")
    assert act(shop, hold, "refund").json()["refundable_amount"] == "0.00"
    capture = act(shop, hold, "capture", {"amount": "20.00", "final": False}).json()["id"]

    assert act(shop, capture, "refund").json()["code"] == "invalid_state"
    assert act(shop, hold, "refund", {"amount": "20.01"}).json()["refundable_amount"] == "20.00"
    assert act(shop, hold, "refund", {"amount": "15.00"}).status_code == 201

    assert (shop.balance(ann), shop.balance(bob), status(shop, hold)) == ("95.00", "5.00", "AUTHORIZED")


@pytest.mark.parametrize(("path", "side"), [("/topups", "treasury"), ("/bonuses", "bonus"), ("/spends", "revenue")])
def test_what_a_system_account_gave_or_got_goes_back_there(shop, ann, path, side):
    paid = shop.post(path, {"wallet_id": ann, "amount": "7.00"}).json()["id"]

    refund = act(shop, paid, "refund").json()

    kinds = rows(
        "SELECT a.kind FROM ledger_entries e JOIN accounts a ON a.id = e.account_id WHERE e.transaction_id = %s"
        " ORDER BY e.leg",
        refund["id"],
    )
    assert sorted(kind for (kind,) in kinds) == sorted(["wallet", side])
    assert shop.balance(ann) == "100.00"


def test_who_has_spent_it_cannot_give_it_back(shop, ann, bob):
    paid = shop.pay(ann, bob, "30.00").json()["id"]
    shop.pay(bob, shop.wallet(), "1.00")

    refused = act(shop, paid, "refund")

    assert (refused.status_code, refused.json()["code"]) == (422, "insufficient_funds")
    assert act(shop, paid, "refund", {"amount": "29.00"}).status_code == 201


@pytest.mark.parametrize("suspended", ["ann", "bob"])
def test_neither_side_may_be_suspended(shop, ann, bob, suspended):
    paid = shop.pay(ann, bob, "30.00").json()["id"]
    shop.set_status({"ann": ann, "bob": bob}[suspended], "SUSPENDED")

    assert act(shop, paid, "refund").json()["code"] == "wallet_not_active"
    assert act(shop, paid, "reverse").json()["code"] == "wallet_not_active"


def test_a_reversal_undoes_the_whole_once(shop, ann, bob):
    paid = shop.pay(ann, bob, "30.00").json()["id"]

    answer = act(shop, paid, "reverse", {"reason": "Booked twice"})

    assert (answer.status_code, answer.json()["kind"], answer.json()["amount"]) == (201, "reversal", "30.00")
    assert (shop.balance(ann), shop.balance(bob)) == ("100.00", "0.00")
    for verb in ("reverse", "refund"):
        assert act(shop, paid, verb).json()["code"] == "invalid_state"


def test_what_is_refunded_in_part_or_is_no_payment_in_one_step_is_not_reversed(shop, ann, bob):
    paid = shop.pay(ann, bob, "30.00").json()["id"]
    refund = act(shop, paid, "refund", {"amount": "1.00"}).json()["id"]
    hold = authorize(shop, ann, bob, "5.00")

    assert {act(shop, one, "reverse").json()["code"] for one in (paid, refund, hold)} == {"invalid_state"}


def test_a_reversal_needs_the_scope_of_operations(shop, ann, bob):
    from tests.actors import actor

    paid = shop.pay(ann, bob, "30.00").json()["id"]
    before = snapshot()

    assert act(actor("client", scopes=frozenset({"payments:write"})), paid, "reverse").status_code == 403
    assert snapshot() == before
