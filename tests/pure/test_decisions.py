"""``decide`` by itself: each rule, each row that it writes, each word that it answers."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import orjson
import pytest

from ledger.money import MAX_BALANCE
from ledger.posting import Journal, Leg
from payments.commands import Capture, Expire, Extend, Reauthorize, Refund, Reverse, Void
from tests.pure.world import ANN, BOB, CLEO, CLIENT, GEM, NOW, OWNER, SYSTEM, World, act, body, hold, id_of, move
from walletplatform.identity.principal import Principal


@pytest.fixture
def world():
    return World()


def only(outcomes):
    [outcome] = outcomes
    return outcome


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


def declined(world, command):
    before = {account.id: (account.balance, account.held, account.seq) for account in world.state.accounts.values()}
    outcome = only(world.do(command))
    assert {a.id: (a.balance, a.held, a.seq) for a in world.state.accounts.values()} == before
    problem = body(outcome)
    [row], [failure], [key] = world.plan.payments, world.plan.failures, world.plan.keys
    assert (row[2], str(row[0]), key[5]) == ("FAILED", problem["payment_id"], row[0])
    assert (failure[0], failure[1], failure[3], failure[4]) == (row[0], problem["code"], problem["detail"], NOW)
    assert (key[3], key[4]) == (outcome.status, outcome.body)
    fact = world.plan.facts[-1]
    assert (fact.type, fact.subject, fact.data["failure"]["code"]) == ("payment.failed", row[0], problem["code"])
    assert fact.data["failure"] == {"code": failure[1], "category": failure[2], "detail": failure[3]}
    assert row[15:] == (None, None)
    assert (world.plan.journal.transactions, world.plan.changed) == ([], {})
    return problem, failure[2]


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


def refused(world, command, **members):
    problem, category = declined(world, command)
    assert (problem["code"], problem["status"], category) == ("invalid_state", 409, "client")
    assert {name: problem[name] for name in members} == members
    return problem


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


def journal(world):
    return Journal(new_id=world.state.new_id)


def post(world, *changes):
    legs = [Leg(world.state.accounts[wallet], change) for wallet, change in changes]
    return journal(world).post(transaction_id=UUID(int=1), kind="x", legs=legs, booked_at=NOW, effective_at=NOW)


@pytest.mark.parametrize(
    "changes",
    [
        [(ANN, -1), (BOB, 2)], [(ANN, -1), (GEM, 1)], [(ANN, 0)], [], [(ANN, 5), (BOB, 5)],
        [(ANN, -1), (BOB, -1), (CLEO, 3)],
    ],
)  # fmt: skip
def test_the_journal_posts_nothing_that_does_not_balance(world, changes):
    with pytest.raises(ValueError, match="unbalanced posting: "):
        post(world, *changes)


@pytest.mark.parametrize("changes", [[(ANN, -10_001), (BOB, 10_001)], [(ANN, 0), (BOB, 0)]])
def test_the_journal_posts_nothing_that_is_not_covered_or_nothing(world, changes):
    with pytest.raises(ValueError, match=f"does not cover {-changes[0][1]}$"):
        post(world, *changes)


def test_the_journal_posts_several_legs_and_credits_what_is_overdrawn(world):
    world.state.accounts[BOB].held = 50  # as after a correction: less is available than nothing

    post(world, (ANN, -3), (BOB, 1), (CLEO, 2))

    assert [world.money(wallet)[0] for wallet in (ANN, BOB, CLEO)] == [9997, 1, 2]


@pytest.mark.parametrize(("held", "change"), [(0, 10_001), (5, -6), (10_000, 1)])
def test_the_journal_holds_no_more_than_there_is_and_releases_no_more_than_is_held(world, held, change):
    account = world.state.accounts[ANN]
    account.held = held
    with pytest.raises(ValueError, match=f"cannot hold {change} more than {held}"):
        journal(world).hold(account, change)
    account.held, account.balance = 5, 0
    journal(world).hold(account, -5)
    journal(world).hold(account, 0)
    assert account.held == 0


def test_an_asset_without_a_system_account_is_a_bug_that_says_so(world):
    del world.state.accounts[SYSTEM["treasury"]]
    with pytest.raises(LookupError, match="asset EUR has no treasury account"):
        world.do(move("1.00", None, BOB, kind="topup"))


def test_stored_bytes_are_json_without_surprises(world):
    outcome = only(world.do(move("1.00", description='"quoted" \u2028 text')))

    assert orjson.loads(outcome.body)["description"] == '"quoted" \u2028 text'


def test_a_refund_of_what_failed_between_two_assets_is_kept_in_the_asset_that_was_asked_for(world):
    failed = UUID(body(only(world.do(move("5.00", receiver=GEM))))["payment_id"])

    for verb in (Refund, Reverse):
        refused(world, act(verb, failed), current_state="FAILED")
        assert world.plan.payments[0][3:7] == ("EUR", 500, ANN, GEM)
