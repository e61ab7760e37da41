"""Many at once: no deadlock surfaces, nothing is overspent, sums are exact."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection
from psycopg.errors import DeadlockDetected

from ledger.database import close_money_pool
from payments.commands import Capture, Expire, Move
from payments.engine import execute
from payments.expiry import expire_holds
from tests.conftest import admin_url
from tests.ledger.test_database_rules import connect
from tests.money import rows, value
from tests.payments.holds import authorize, status, wait_until_due


def at_once(work, items, *, threads=32):
    def one(item):
        try:
            return work(item)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, items))


def test_a_thousand_transfers_around_a_ring_end_where_they_must(shop, rare_asset):
    ring = [shop.wallet(rare_asset, holding="100.00") for _ in range(10)]

    def step(number: int) -> int:
        place = number % len(ring)
        return shop.pay(ring[place], ring[(place + 1) % len(ring)], "1.00").status_code

    statuses = at_once(step, range(1000))

    assert set(statuses) == {201}
    assert [shop.balance(wallet) for wallet in ring] == ["100.00"] * 10


def test_payments_in_both_directions_do_not_deadlock(shop, rare_asset):
    ann, bob = (shop.wallet(rare_asset, holding="1000.00") for _ in range(2))

    def step(number: int) -> int:
        sender, receiver = (ann, bob) if number % 2 else (bob, ann)
        return shop.pay(sender, receiver, "1.00").status_code

    statuses = at_once(step, range(400))

    assert set(statuses) == {201}
    assert (shop.balance(ann), shop.balance(bob)) == ("1000.00", "1000.00")


def test_rivals_for_the_same_money_cannot_both_have_it(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)

    outcomes = at_once(lambda _: shop.pay(ann, bob, "1.00").status_code, range(40))

    assert sorted(outcomes) == [201] * 10 + [422] * 30
    assert (shop.balance(ann), shop.balance(bob)) == ("0.00", "10.00")


def test_random_traffic_conserves_money_in_every_snapshot(shop, rare_asset):
    wallets = [shop.wallet(rare_asset, holding="50.00") for _ in range(8)]
    chance = random.Random(11)
    plan = [(*chance.sample(wallets, 2), f"{chance.randint(1, 3000) / 100:.2f}") for _ in range(300)]

    def step(number: int) -> object:
        if number % 10 == 0:
            return value("SELECT sum(balance) FROM accounts WHERE asset = %s", rare_asset)
        return shop.pay(*plan[number]).status_code

    results = at_once(step, range(300))

    assert set(results) <= {0, 201, 422}
    assert (
        rows(
            "SELECT a.id FROM accounts a LEFT JOIN ledger_entries e ON e.account_id = a.id WHERE a.asset = %s"
            " GROUP BY a.id HAVING a.seq <> count(e.id) OR a.balance <> coalesce(sum(CASE e.direction"
            " WHEN 'CREDIT' THEN e.amount ELSE -e.amount END), 0)",
            rare_asset,
        )
        == []
    )


def test_a_wallet_suspended_amid_payments_moves_nothing_afterwards(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset, holding="500.00"), shop.wallet(rare_asset)

    def step(number: int) -> int:
        if number == 60:
            return shop.set_status(ann, "SUSPENDED").status_code
        # On a busy machine some wait for the wallet too long, are told to come again, and do.
        for _ in range(60):
            if (status := shop.pay(ann, bob, "1.00").status_code) != 429:
                break
        return status

    statuses = at_once(step, range(200))

    settled = statuses.count(201)
    assert statuses.count(200) == 1
    assert statuses.count(409) == 199 - settled
    assert shop.balance(bob) == f"{settled}.00"


def test_a_busy_wallet_is_refused_in_time_and_the_key_stays_free(shop):
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()
    with connect("owner") as rival:
        rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (ann,))
        busy = shop.pay(ann, bob, "1.00", key=f"busy-{ann}")
        rival.rollback()

    assert (busy.status_code, busy.json()["code"]) == (429, "lock_timeout")
    assert (busy["Retry-After"], busy.json()["retryable"]) == ("1", True)
    assert shop.pay(ann, bob, "1.00", key=f"busy-{ann}").status_code == 201


def test_a_key_held_by_a_request_in_progress_is_told(shop):
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), "progress-" + shop.wallet()
    with connect("default") as rival:
        rival.execute(
            "INSERT INTO idempotency_keys (principal_id, key, fingerprint, status, body, resource_id, created_at)"
            " VALUES (%s, %s, '', 201, '', gen_random_uuid(), now())",
            (shop.id, key),
        )
        answer = shop.pay(ann, bob, "1.00", key=key)
        rival.rollback()

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_in_progress")
    assert answer["Retry-After"] == "1"
    assert shop.balance(ann) == "5.00"


@pytest.fixture
def own_pool(database):
    """Connections made in this test only, so that what is set for the role reaches them."""
    close_money_pool()
    yield database
    close_money_pool()


def test_a_copy_of_a_request_in_progress_is_told_so_and_not_that_nothing_was_executed(shop, settings):
    settings.GROUP_COMMIT = False  # as if each copy met a process of its own
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), f"twin-{shop.id}"
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"}
    with connect("owner") as owner:
        owner.execute(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM pg_sleep(3); RETURN NEW; END $$;"
            "CREATE TRIGGER dawdle BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )
        owner.commit()
        try:
            answers = at_once(lambda _: shop.post("/payments", body, key=key), range(2), threads=2)
        finally:
            owner.execute("DROP TRIGGER dawdle ON payments; DROP FUNCTION dawdle()")
            owner.commit()

    first, twin = sorted(answers, key=lambda answer: answer.status_code)
    assert (first.status_code, twin.status_code) == (201, 409)
    assert (twin.json()["code"], twin.json()["outcome"]) == ("idempotency_in_progress", "unknown")
    assert shop.post("/payments", body, key=key).content == first.content
    assert shop.balance(bob) == "1.00"


def test_a_deadlock_made_by_an_outsider_is_survived(shop, own_pool):
    """The outsider locks against our order. PostgreSQL ends our transaction; it runs again."""
    first, second = sorted([shop.wallet(), shop.wallet()])
    for wallet in (first, second):
        shop.post("/topups", {"wallet_id": wallet, "amount": "5.00"})
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f"ALTER ROLE app IN DATABASE {own_pool} SET deadlock_timeout = '50ms'")
        close_money_pool()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
        with connect("owner") as rival, ThreadPoolExecutor(1) as threads:
            rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (second,))
            payment = threads.submit(shop.pay, first, second, "1.00")
            while admin.execute(waiting, (own_pool,)).fetchone() == (0,) and not payment.done():
                pass
            with suppress(DeadlockDetected):
                rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (first,))
            rival.rollback()
            answer = payment.result(30)
        admin.execute(f"ALTER ROLE app IN DATABASE {own_pool} RESET deadlock_timeout")

    assert answer.status_code == 201
    assert shop.balance(first) == "4.00"


@pytest.mark.parametrize(("failures", "status", "code"), [(1, 201, None), (2, 201, None), (3, 503, "unavailable")])
def test_a_serialization_failure_runs_the_payment_again_three_times_in_all(shop, failures, status, code):
    ann, bob, key = shop.wallet(holding="5.00"), shop.wallet(), f"retry-{failures}-{shop.id}"
    with connect("owner") as owner:
        owner.execute(
            "CREATE SEQUENCE thrown; GRANT USAGE ON SEQUENCE thrown TO app;"
            "CREATE FUNCTION throw() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF nextval('thrown') <= {failures} THEN RAISE 'again' USING ERRCODE = '40001'; END IF;"
            " RETURN NEW; END $$;"
            "CREATE TRIGGER throw BEFORE INSERT ON payments FOR EACH ROW EXECUTE FUNCTION throw()"
        )
        owner.commit()
        try:
            answer = shop.pay(ann, bob, "1.00", key=key)
        finally:
            owner.execute("DROP TRIGGER throw ON payments; DROP FUNCTION throw(); DROP SEQUENCE thrown")
            owner.commit()

    assert (answer.status_code, answer.json().get("code")) == (status, code)
    assert shop.balance(bob) == ("1.00" if status == 201 else "0.00")
    assert shop.pay(ann, bob, "1.00", key=key).status_code == 201
    assert shop.balance(bob) == "1.00"


@pytest.fixture
def early(shop, rare_asset):
    """A wallet that was booked an hour ahead, before the clock was set back; and its other side."""
    ahead, side = shop.wallet(rare_asset), shop.wallet(rare_asset)
    with connect("owner") as owner:
        owner.execute("UPDATE ledger_clock SET shift = '1 hour'")
        owner.commit()
        try:
            shop.post("/topups", {"wallet_id": ahead, "amount": "5.00"})
        finally:
            owner.execute("UPDATE ledger_clock SET shift = '0'")
            owner.commit()
    return ahead, side


def of(shop, command, **fields):
    return command(
        principal=shop.principal, key=uuid4().hex, fingerprint=b"x" * 32, request_id="test", traceparent="", **fields
    )


def test_a_wallet_ahead_of_the_clock_takes_nobody_else_of_its_batch_along(shop, early):
    ann, bob = shop.wallet(holding="9.00"), shop.wallet()
    captured, kept = (authorize(shop, ann, bob, "1.00", expires_in=600) for _ in range(2))
    ahead, side = early

    def transfer(sender, receiver):
        sides = {"sender_id": UUID(sender), "receiver_id": UUID(receiver)}
        return of(shop, Move, kind="transfer", amount=Decimal(1), description="", metadata={}, **sides)

    outcomes = execute(
        [
            transfer(ahead, side),
            of(shop, Capture, payment_id=UUID(captured)),
            of(shop, Expire, payment_id=UUID(kept), keeps_key=False),
            transfer(ann, bob),
            transfer(side, ahead),
        ]
    )

    assert [outcome.code for outcome in outcomes] == ["settled", "settled", "expired", "settled", "settled"]
    assert value("SELECT status FROM payments WHERE id = %s", kept) == "AUTHORIZED"
    times = [json.loads(outcomes[place].body)["created_at"] for place in (0, 1, 3, 4)]
    hour_ahead = [moment > (datetime.now(UTC) + timedelta(minutes=30)).isoformat() for moment in times]
    assert hour_ahead == [True, False, False, True]
    for wallet in (ahead, side, ann, bob):
        booked = [entry["booked_at"] for entry in shop.get(f"/wallets/{wallet}/entries").json()["data"]]
        assert booked == sorted(booked, reverse=True)
    ids = [json.loads(outcomes[place].body)["id"] for place in (1, 3, 0, 4)]
    assert ids == sorted(ids)


def test_a_hold_that_takes_the_database_too_much_holds_up_no_others_expiry(shop):
    ann, bob = shop.wallet(holding="9.00"), shop.wallet()
    greedy, due = (authorize(shop, ann, bob, "1.00", expires_in=1) for _ in range(2))
    wait_until_due(due)
    with connect("owner") as owner:
        owner.execute(
            "CREATE FUNCTION crave() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no more' USING ERRCODE = '53200'; END $$;"
            f"CREATE TRIGGER crave BEFORE UPDATE ON payments FOR EACH ROW WHEN (NEW.id = '{greedy}')"
            " EXECUTE FUNCTION crave()"
        )
        owner.commit()
        try:
            list(expire_holds())
        finally:
            owner.execute("DROP TRIGGER crave ON payments; DROP FUNCTION crave()")
            owner.commit()

    assert [status(shop, hold) for hold in (greedy, due)] == ["AUTHORIZED", "EXPIRED"]
