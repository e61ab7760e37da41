"""The history checker finds what it must, in histories that were spoiled on purpose, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.model.history_checker import check
from tests.model.history_faked import add_read, amount_of, change_answer, fake_pay, faked, settled, shift_balance


def kinds(history):
    return {anomaly.kind for anomaly in check(history).anomalies}


@pytest.mark.parametrize("seed", range(12))
def test_a_right_history_is_right(seed):
    history = faked(seed)

    verdict = check(history)

    assert verdict.anomalies == []
    assert verdict.steps > 150
    assert verdict.reads > 30
    assert {operation.verb for operation in history.operations} >= {"capture", "refund", "extend", "read_payment"}


def test_a_lost_update_is_found():
    history = faked(1)
    later = settled(history)[10]
    sender = later.body["sender_wallet_id"]
    seq = next(e.seq for e in history.ledger.entries if e.account == sender and e.transaction == f"p-{later.id}")
    shift_balance(history, sender, seq, amount_of(later))

    assert {"wrong balance", "wrong end"} <= kinds(history)


def test_an_acknowledged_payment_that_is_not_there_is_found():
    history = faked(2)
    gone = settled(history)[-1]
    history.ledger.events = [event for event in history.ledger.events if event.request != gone.id]
    del history.ledger.payments[f"p-{gone.id}"]

    assert "lost effect" in kinds(history)


def test_a_second_effect_of_one_key_is_found():
    history = faked(3)
    twice = settled(history)[5]
    row = history.ledger.payments[f"p-{twice.id}"]
    history.ledger.payments["again"] = replace(row, id="again", request="f-again")
    copy = replace(twice, id="f-again")
    last = history.ledger.events[-1]
    history.operations.append(copy)
    history.ledger.events.append(replace(last, position=last.position + 1, subject="again", request="f-again"))

    assert "double effect" in kinds(history)


def test_copies_with_different_answers_are_found():
    history = faked(4)
    other = replace(settled(history)[3], id="f-copy")
    change_answer(other, amount="0.07")
    history.operations.append(other)

    assert "different answers" in kinds(history)


def read(history, number):
    """A read of a wallet between changes to it, with what comes next."""
    reads = [operation for operation in history.operations if operation.verb == "read_wallet"]
    return reads[number]


def test_a_stale_read_is_found():
    history = faked(5)
    early = read(history, 2)
    again = [o for o in history.operations if o.verb == "read_wallet" and o.subject == early.subject][-1]
    assert again.raw != early.raw
    again.raw = early.raw

    assert kinds(history) == {"stale read"}


def test_a_read_of_what_never_was_is_found():
    history = faked(6)
    change_answer(read(history, 4), balance="1.23", held="0.00", available="1.23")

    assert kinds(history) == {"value from nowhere"}


def test_a_read_in_which_available_is_not_the_rest_is_found():
    history = faked(7)
    change_answer(read(history, 4), available="0.01")

    assert kinds(history) == {"value from nowhere"}


def test_two_reads_that_see_changes_of_two_wallets_in_opposite_orders_are_found():
    """Each read alone has its place. Only both with the time between them have none."""
    history = faked(8, count=0)
    wide = {"invoked": 0.0, "answered": 100.0}
    fake_pay(history, 1, "w0", "w1", **wide)
    fake_pay(history, 2, "w2", "w3", **wide)
    # One client saw the second payment and not the first; after that, another the first without the second.
    add_read(history, "w2", paid=True, invoked=10, answered=11)
    add_read(history, "w0", paid=False, invoked=12, answered=13)
    assert kinds(history) == set()
    add_read(history, "w0", paid=True, invoked=14, answered=15)
    add_read(history, "w2", paid=False, invoked=16, answered=17)

    assert kinds(history) == {"stale read"}


def test_an_effect_before_its_request_is_found():
    """By the ledger the second payment comes first, though it was sent after the first was answered."""
    history = faked(9, count=0)
    fake_pay(history, 1, "w0", "w1", invoked=10, answered=11)
    fake_pay(history, 2, "w0", "w2", invoked=5, answered=6)

    assert kinds(history) == {"order violation"}


def test_entries_in_another_order_than_events_are_found():
    history = faked(10)
    account = history.ledger.entries[0].account
    mine = [entry for entry in history.ledger.entries if entry.account == account]
    swapped = {mine[0].seq: mine[1].seq, mine[1].seq: mine[0].seq}
    history.ledger.entries = [
        replace(entry, seq=swapped.get(entry.seq, entry.seq)) if entry.account == account else entry
        for entry in history.ledger.entries
    ]

    assert "order violation" in kinds(history)


def test_an_effect_that_nobody_asked_for_is_found():
    history = faked(11)
    last = history.ledger.events[-1]
    history.ledger.events.append(replace(last, position=last.position + 1, request="stranger"))

    assert "effect from nowhere" in kinds(history)


def test_a_decline_of_what_was_covered_is_found():
    history = faked(12)
    refused = settled(history)[4]
    refused.status = 422
    change_answer(refused, code="insufficient_funds", payment_id=f"p-{refused.id}")

    assert "wrong answer" in kinds(history)


def test_a_capture_after_the_end_is_found():
    history = faked(13)
    capture = settled(history, verb="capture")[0]
    parent = next(o for o in history.operations if f"p-{o.id}" == capture.subject)
    parent.body["expires_in"] = 1
    history.ledger.events = [
        replace(event, time=event.time + timedelta(days=9)) if event.position > history.ledger.events[-1].position // 2
        else event
        for event in history.ledger.events
    ]  # fmt: skip

    assert kinds(history) & {"wrong answer", "wrong outcome"}


def test_a_hold_that_ends_before_its_time_is_found():
    history = faked(14)
    hold = next(o for o in settled(history, verb="authorize") if "expires_in" not in o.body)
    last = history.ledger.events[-1]
    ended = replace(last, position=last.position + 1, type="payment.expired", subject=f"p-{hold.id}", request="expiry")
    history.ledger.events.append(ended)

    assert "expired early" in kinds(history)
