"""``decide`` by itself, of what begins a payment: each rule, each row that it writes, each word that it answers."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from ledger.money import MAX_BALANCE
from payments.commands import Capture, Reauthorize, Refund, Reverse, Void
from tests.pure.world import (
    ANN,
    BOB,
    CLEO,
    CLIENT,
    GEM,
    NOW,
    OWNER,
    SYSTEM,
    act,
    body,
    declined,
    hold,
    id_of,
    move,
    only,
)
from walletplatform.identity.principal import Principal


def test_a_transfer_writes_its_payment_its_transaction_its_entries_and_its_event(world):
    command = move("12.50", key="k")
    outcome = only(world.do(command))

    payment = id_of(outcome)
    plan = world.plan
    assert (outcome.status, outcome.code, outcome.replayed) == (201, "settled", False)
    assert plan.payments == [
        (
            payment, "transfer", "SETTLED", "EUR", 1250, ANN, BOB, None, CLIENT.id, "k", "req", "words",
            '{"order":"7"}', NOW, NOW, None, None,
        )
    ]  # fmt: skip
    assert plan.journal.transactions == [(payment, "transfer", 2, NOW, NOW)]
    assert [row[1:] for row in plan.journal.entries] == [
        (payment, 2, 1, ANN, "DEBIT", 1250, 4, 8750),
        (payment, 2, 2, BOB, "CREDIT", 1250, 4, 1250),
    ]
    assert sorted(plan.journal.account_rows()) == [(ANN, 8750, 0, 4, NOW), (BOB, 1250, 0, 4, NOW)]
    assert plan.keys == [(CLIENT.id, "k", b"f", 201, outcome.body, payment, NOW)]
    assert (plan.failures, plan.changed) == ([], {})
    [fact] = plan.facts
    assert (fact.type, fact.subject, fact.time) == ("payment.settled", payment, NOW)
    assert (fact.correlation_id, fact.traceparent, type(fact.event_id)) == ("req", "trace", UUID)
    assert fact.data == {
        **fact.data,
        "entries": [
            {
                "account_id": ANN, "account_kind": "wallet", "asset": "EUR", "direction": "DEBIT",
                "amount": "12.50", "seq": 4, "balance_after": "87.50",
            },
            {
                "account_id": BOB, "account_kind": "wallet", "asset": "EUR", "direction": "CREDIT",
                "amount": "12.50", "seq": 4, "balance_after": "12.50",
            },
        ],
    }  # fmt: skip


def test_the_answer_is_the_whole_payment(world):
    answer = body(only(world.do(move("12.50"))))

    assert answer == {
        "id": answer["id"], "kind": "transfer", "status": "SETTLED", "asset": "EUR", "amount": "12.50",
        "sender_wallet_id": str(ANN), "receiver_wallet_id": str(BOB), "description": "words",
        "metadata": {"order": "7"}, "transaction_id": answer["id"], "parent_id": None,
        "authorized_amount": None, "captured_amount": "12.50", "refunded_amount": "0.00", "expires_at": None,
        "failure": None, "request_id": "req", "created_at": "2026-03-01T12:00:00.000000Z",
        "effective_at": "2026-03-01T12:00:00.000000Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sender", "receiver", "posted"),
    [
        ("topup", None, BOB, {SYSTEM["treasury"]: -500, BOB: 500}),
        ("bonus", None, BOB, {SYSTEM["bonus"]: -500, BOB: 500}),
        ("spend", ANN, None, {ANN: 9500, SYSTEM["revenue"]: 500}),
    ],
)
def test_a_flow_moves_between_a_wallet_and_its_system_account(world, kind, sender, receiver, posted):
    answer = body(only(world.do(move("5.00", sender, receiver, kind=kind))))

    assert {account: world.money(account)[0] for account in posted} == posted
    shown = (answer["sender_wallet_id"], answer["receiver_wallet_id"])
    assert shown == tuple(wallet and str(wallet) for wallet in (sender, receiver))


DETAILS = {
    "not_found": "There is no such wallet.",
    "same_wallet": "Sender and receiver are the same wallet.",
    "/effective_at": "That moment has not come yet.",
}


@pytest.mark.parametrize(
    ("command", "status", "code", "pointer"),
    [
        (move(receiver=UUID(int=7)), 404, "not_found", None),
        (move(sender=UUID(int=7)), 404, "not_found", None),
        (move(receiver=ANN), 422, "same_wallet", None),
        (move("0.001"), 422, "amount_scale", "/amount"),
        (move("0.5", sender=GEM, receiver=GEM), 422, "same_wallet", None),
        (move("9999999999999999.99"), 422, "insufficient_funds", None),
        (move("10000000000000000.00"), 400, "validation_error", "/amount"),
        (move("1.00", effective_at=NOW + timedelta(microseconds=1)), 400, "validation_error", "/effective_at"),
    ],
)
def test_what_does_not_fit_is_refused_and_named(world, command, status, code, pointer):
    outcome = only(world.do(command))

    problem = body(outcome)
    assert (outcome.status, outcome.code, problem["code"], problem["status"]) == (status, code, code, status)
    assert problem["request_id"] == "req"
    expected = [{"pointer": pointer, "code": code, "detail": problem["detail"]}] if pointer else []
    assert (problem.get("errors", []), problem["detail"]) == (expected, DETAILS.get(pointer or code, problem["detail"]))
    stored = code == "insufficient_funds"
    assert bool(world.plan.keys) == bool(world.plan.payments) == stored
    assert world.plan.is_empty != stored


@pytest.mark.parametrize("moment", [NOW, NOW - timedelta(days=400)])
def test_a_payment_may_have_happened_up_to_now(world, moment):
    only(world.do(move("1.00", effective_at=moment)))

    assert world.plan.journal.transactions[0][3:] == (NOW, moment)
    assert world.plan.payments[0][13:15] == (NOW, moment)


def test_a_declined_payment_is_kept_with_whose_concern_it_is(world):
    problem, category = declined(world, move("100.01"))
    assert (problem["code"], problem["detail"], category) == (
        "insufficient_funds", "The available balance is too small.", "customer",
    )  # fmt: skip
    problem, category = declined(world, move("1", receiver=GEM))
    assert (problem["code"], problem["detail"], category) == (
        "asset_mismatch", "One wallet holds EUR, the other GEM.", "client",
    )  # fmt: skip
    world.state.accounts[BOB].balance = MAX_BALANCE - 99
    problem, category = declined(world, move("1.00"))
    assert (problem["code"], category) == ("balance_overflow", "platform")
    assert problem["detail"] == "The balance would be too large to keep."
    world.state.accounts[BOB].balance = MAX_BALANCE - 100
    assert only(world.do(move("1.00"))).status == 201


def test_a_system_account_has_a_floor_too(world):
    world.state.accounts[SYSTEM["treasury"]].balance = 99 - MAX_BALANCE

    assert declined(world, move("1.00", None, BOB, kind="topup"))[0]["code"] == "balance_overflow"
    world.state.accounts[SYSTEM["treasury"]].balance = 100 - MAX_BALANCE
    assert only(world.do(move("1.00", None, BOB, kind="topup"))).status == 201


@pytest.mark.parametrize(("wallet", "side"), [(ANN, "sender"), (BOB, "receiver")])
def test_a_wallet_that_is_not_active_is_named_with_its_side(world, wallet, side):
    world.suspend(wallet)

    problem, category = declined(world, move("1.00"))

    assert (problem["code"], problem["current_state"], category) == ("wallet_not_active", "SUSPENDED", "customer")
    assert problem["detail"] == f"The {side}'s wallet is SUSPENDED."


def test_the_last_cent_can_be_paid_and_no_more(world):
    assert only(world.do(move("100.00"))).status == 201
    assert declined(world, move("0.01"))[0]["code"] == "insufficient_funds"


def user(id):
    return Principal(id=id, kind="user", scopes=frozenset(), assets=None)


def test_an_end_user_debits_its_own_and_pays_whoever_is_active(world):
    owner, stranger = user(OWNER), user(UUID(int=8))
    assert only(world.do(move("1.00", principal=owner))).status == 201
    assert only(world.do(move("1.00", principal=stranger))).code == "not_found"
    world.state.wallets[CLEO] = replace(world.state.wallets[CLEO], user_id=UUID(int=77))
    assert only(world.do(move("1.00", receiver=CLEO, principal=owner))).status == 201
    world.suspend(BOB)
    assert only(world.do(move("1.00", principal=owner))).code == "wallet_not_active"
    world.state.wallets[ANN] = replace(world.state.wallets[ANN], user_id=stranger.id)
    assert only(world.do(move("1.00", principal=stranger))).code == "not_found"


def test_a_client_sees_its_assets_only(world):
    gems, euros = replace(CLIENT, assets=frozenset({"GEM"})), replace(CLIENT, assets=frozenset({"EUR"}))
    assert only(world.do(move("1.00", principal=euros))).status == 201

    assert only(world.do(move("1.00", principal=gems))).code == "not_found"
    hold_id = id_of(only(world.do(hold())))
    for verb in (Capture, Void, Refund, Reverse, Reauthorize):
        assert only(world.do(act(verb, hold_id, "1.00", principal=gems))).code == "not_found"
    assert only(world.do(act(Capture, hold_id, "1.00", principal=euros))).status == 201


def test_a_wallet_that_was_opened_after_the_locks_is_not_there_yet(world):
    del world.state.accounts[BOB]
    assert only(world.do(move("1.00"))).code == "not_found"
    del world.state.wallets[CLEO]
    assert only(world.do(move("1.00", receiver=CLEO))).code == "not_found"


def test_a_key_answers_the_same_bytes_and_only_to_the_same_request(world):
    first = move("1.00", key="k")
    outcome = only(world.do(first))
    again, other = world.do(first, replace(first, fingerprint=b"g"))

    assert (again.status, again.body, again.code, again.replayed) == (201, outcome.body, "replayed", True)
    assert (other.status, other.code, other.replayed) == (422, "idempotency_key_reused", False)
    assert body(other)["detail"] == "This key was used for another request."
    assert world.plan.is_empty
    stranger = replace(first, principal=replace(CLIENT, id=UUID(int=2)))
    assert only(world.do(stranger)).code == "settled"


def test_a_key_that_comes_again_in_its_batch_pays_once(world):
    first = move("1.00", key="k")

    outcomes = world.do(first, first, replace(first, fingerprint=b"g"))

    assert [outcome.code for outcome in outcomes] == ["settled", "replayed", "idempotency_key_reused"]
    assert (len(world.plan.keys), world.money(BOB)[0]) == (1, 100)


def test_a_decline_is_final_for_its_key(world):
    first = move("1.00", ANN, BOB, key="k")
    world.state.accounts[ANN].balance = 0
    refused = only(world.do(first))
    world.state.accounts[ANN].balance = 100

    assert only(world.do(first)).body == refused.body
