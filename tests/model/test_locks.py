"""What locks are for, one moment at a time: a rival holds a wallet, and the payment comes to wait for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.db import connection, connections

from tests.conftest import admin_url
from tests.ledger.test_database_rules import connect, post
from tests.money import rows, value
from tests.payments.holds import act, authorize

WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'money' AND datname = %s
"""


@pytest.fixture(autouse=True)
def alone(settings):
    """Each payment by itself, so that it waits on its wallets and not in a queue."""
    settings.GROUP_COMMIT = False


def while_it_waits(work: Callable[[], Any], do: Callable[[], None]) -> Any:
    """Start ``work``, ``do`` something once it waits for a lock, and return what it answered."""

    def guarded() -> Any:
        try:
            return work()
        finally:
            connection.close()

    database = connections["default"].settings_dict["NAME"]
    with ThreadPoolExecutor(1) as pool, psycopg.connect(admin_url(), autocommit=True) as watcher:
        working: Future[Any] = pool.submit(guarded)
        while watcher.execute(WAITING, (database,)).fetchone() == (0,) and not working.done():
            pass
        do()
        return working.result(30)


def test_a_payment_is_decided_on_what_its_rival_has_left(shop):
    """The rival leaves too little: deciding on what was there before it would overspend."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    with connect("owner") as rival:
        post(rival, {"ann": ann, "bob": bob}, debit=800, credit=800)
        answer = while_it_waits(lambda: shop.pay(ann, bob, "5.00"), rival.commit)

    assert (answer.status_code, answer.json().get("code")) == (422, "insufficient_funds")
    assert shop.balance(ann) == "2.00"


def test_a_capture_is_decided_on_what_its_rival_has_left(shop):
    """The rival ends the hold: deciding on what it was before would capture what has been released."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    hold = authorize(shop, ann, bob, "5.00")
    with connect("owner") as rival:
        rival.execute("UPDATE accounts SET held = held - 500 WHERE id = %s", (ann,))
        rival.execute("UPDATE payments SET status = 'VOIDED' WHERE id = %s", (hold,))
        answer = while_it_waits(lambda: act(shop, hold, "capture"), rival.commit)

    assert (answer.status_code, answer.json().get("current_state")) == (409, "VOIDED")
    assert shop.balance(ann) == "10.00"


@pytest.mark.parametrize("number", range(6))
def test_wallets_are_locked_in_one_order_whoever_pays_whom(shop, number):
    """While the first is not to be had, the others are not touched: so no two payments wait in a ring."""
    first, *others = sorted(shop.wallet(holding="9.00") for _ in range(3))
    items = [{"idempotency_key": f"{first}-{n}", "amount": "1.00"} for n in range(2)]
    for item, other in zip(items, others, strict=True):
        sides = (first, other) if number % 2 else (other, first)
        item |= dict(zip(("sender_wallet_id", "receiver_wallet_id"), sides, strict=True))

    def others_are_free() -> None:
        with connect("owner") as looker:
            looker.execute("SELECT 1 FROM accounts WHERE id = ANY(%s::uuid[]) FOR UPDATE NOWAIT", (others,))
        rival.rollback()

    with connect("owner") as rival:
        rival.execute("SELECT 1 FROM accounts WHERE id = %s FOR UPDATE", (first,))
        batch = {"mode": "atomic", "payments": items}
        answer = while_it_waits(lambda: shop.post("/payments/batch", batch), others_are_free)

    assert answer.status_code == 200


def test_a_clock_that_steps_back_books_nothing_before_what_was_booked(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    with connect("owner") as owner:
        owner.execute("UPDATE ledger_clock SET shift = '-1 hour'")
    try:
        answer = shop.pay(ann, bob, "1.00")
    finally:
        with connect("owner") as owner:
            owner.execute("UPDATE ledger_clock SET shift = '0'")

    assert answer.status_code == 201
    booked = rows(
        "SELECT t.booked_at FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id"
        " WHERE e.account_id = %s ORDER BY e.seq", ann,
    )  # fmt: skip
    assert booked == sorted(booked)
    assert value("SELECT count(*) FROM ledger_entries WHERE account_id = %s", ann) == 2
