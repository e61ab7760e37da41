"""Group commit: what waits together commits together, and what befalls one payment is its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection as db

from ledger.database import close_money_pool, money_pool
from ledger.idempotency import CLAIM_KEYS
from payments import lanes
from payments.commands import Move
from payments.grouping import Group, submit
from tests.ledger.test_database_rules import connect
from tests.money import snapshot, value
from walletplatform.api.problems import Problem
from walletplatform.observability.metrics import GROUP_ASIDE


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


@pytest.fixture
def transfer(shop):
    def make(sender, receiver, amount="1.00"):
        return Move(
            principal=shop.principal, key=uuid4().hex, fingerprint=b"x" * 32, request_id="test", traceparent="",
            kind="transfer", sender_id=UUID(sender), receiver_id=UUID(receiver), amount=Decimal(amount),
            description="", metadata={},
        )  # fmt: skip

    return make


@contextmanager
def locked(wallet):
    """Somebody else holds the wallet for as long as this lasts."""
    with connect("owner") as rival:
        rival.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", (wallet,))
        yield
        rival.rollback()


@contextmanager
def claimed(command):
    """A copy of the request is being executed elsewhere for as long as this lasts."""
    with connect("default") as rival:
        rival.execute(CLAIM_KEYS, ([command.key], [command.principal.id]))
        yield
        rival.rollback()


@contextmanager
def curse(wallet, body):
    """A trigger runs ``body`` before each payment from the wallet, for as long as this lasts."""
    with connect("owner") as owner:
        owner.execute(
            "CREATE SEQUENCE cursed; GRANT USAGE, SELECT ON SEQUENCE cursed TO app;"
            f"CREATE FUNCTION curse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; END $$;"
            "CREATE TRIGGER curse BEFORE INSERT ON payments FOR EACH ROW"
            f" WHEN (NEW.sender_id = '{wallet}') EXECUTE FUNCTION curse()"
        )
        owner.commit()
        try:
            yield
        finally:
            owner.execute("DROP TRIGGER curse ON payments; DROP FUNCTION curse(); DROP SEQUENCE cursed")
            owner.commit()


@pytest.fixture
def statements_end_soon(settings):
    """The money path's statements are ended after two seconds, as they usually are after five."""
    options = settings.DATABASES["default"]["OPTIONS"]
    usual = options["options"]
    options["options"] = usual.replace("statement_timeout=5s", "statement_timeout=2s")
    close_money_pool()
    yield
    options["options"] = usual
    close_money_pool()


def outcome_of(group, command):
    try:
        return group.submit(command).code
    except Problem as problem:
        return problem.code
    except psycopg.Error as error:
        return type(error).__name__


def together(group, commands):
    """Submit all before the flusher starts, so that they make one batch; return their codes in order."""
    with ThreadPoolExecutor(len(commands)) as threads:
        waiting = []
        for command in commands:
            waiting.append(threads.submit(outcome_of, group, command))
            until_waiting(group, len(waiting))
        group.start()
        return [one.result(30) for one in waiting]


def submit_all(group, commands):
    """Submit to a group that is running already."""
    with ThreadPoolExecutor(len(commands)) as threads:
        return list(threads.map(lambda command: outcome_of(group, command), commands))


def until_waiting(group, count):
    while len(group.waiting) < count:
        time.sleep(0.001)


@pytest.fixture
def group():
    return Group(capacity=100, patience=10)


def test_payments_that_wait_together_share_a_transaction(group, transfer, ann, bob):
    commands = [transfer(ann, bob) for _ in range(8)]

    assert together(group, commands) == ["settled"] * 8

    writers = value(
        "SELECT count(DISTINCT xmin::text) FROM payments WHERE idempotency_key = ANY(%s)", [c.key for c in commands]
    )
    assert writers < 8


def test_a_locked_wallet_holds_up_its_own_payments_only(group, transfer, shop, ann, bob):
    busy = shop.wallet(holding="5.00")
    commands = [transfer(ann, bob), transfer(busy, bob), transfer(bob, busy), transfer(ann, bob)]

    with locked(busy):
        assert together(group, commands) == ["settled", "lock_timeout", "lock_timeout", "settled"]

    assert [submit(command).code for command in commands] == ["replayed", "settled", "settled", "replayed"]


def test_a_key_that_is_claimed_elsewhere_holds_up_its_own_payment_only(group, transfer, shop, ann, bob):
    commands = [transfer(ann, bob) for _ in range(12)]
    aside = GROUP_ASIDE.labels("idempotency_in_progress")
    before = aside._value.get()

    with claimed(commands[5]):
        codes = together(group, commands)

    assert codes == ["settled"] * 5 + ["idempotency_in_progress"] + ["settled"] * 6
    assert aside._value.get() == before + 1
    assert submit(commands[5]).code == "settled"


def test_a_payment_that_breaks_its_batch_breaks_only_itself(group, transfer, shop, ann, bob):
    """A trigger of the test's own fails one wallet's payments with an error that nobody expects."""
    cursed = shop.wallet(holding="5.00")
    with curse(cursed, "RAISE 'cursed'"):
        codes = together(group, [transfer(ann, bob), transfer(cursed, bob), transfer(ann, bob)])

    assert codes == ["settled", "RaiseException", "settled"]
    assert (shop.balance(ann), shop.balance(cursed)) == ("98.00", "5.00")


def test_a_payment_that_takes_too_long_is_refused_alone_and_tried_no_third_time(
    group, transfer, shop, ann, bob, statements_end_soon, monkeypatch
):
    # The others wait for bob meanwhile, a second at most: here they are given more room.
    assert lanes.WRITE_MS < 1000
    monkeypatch.setattr(lanes, "WRITE_MS", 300)
    slow = shop.wallet(holding="5.00")
    with curse(slow, "PERFORM nextval('cursed'); PERFORM pg_sleep(30); RETURN NEW"):
        codes = together(group, [transfer(ann, bob), transfer(slow, bob), transfer(ann, bob)])
        tried = value("SELECT last_value FROM cursed")

    assert codes == ["settled", "unavailable", "settled"]
    assert tried == 2  # with its batch, and alone
    assert (shop.balance(ann), shop.balance(slow)) == ("98.00", "5.00")


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "54001"])
def test_a_payment_that_needs_more_than_the_server_has_is_refused_alone(group, transfer, shop, ann, bob, sqlstate):
    greedy = shop.wallet(holding="5.00")
    with curse(greedy, f"RAISE 'no more' USING ERRCODE = '{sqlstate}'"):
        codes = together(group, [transfer(ann, bob), transfer(greedy, bob), transfer(ann, bob)])

    assert codes == ["settled", "unavailable", "settled"]


def test_a_statement_that_takes_too_long_is_not_repeated(shop, ann, bob, settings, statements_end_soon):
    settings.GROUP_COMMIT = False
    with curse(ann, "PERFORM nextval('cursed'); PERFORM pg_sleep(30); RETURN NEW"):
        answer = shop.pay(ann, bob, "1.00")
        tried = value("SELECT last_value FROM cursed")

    assert (answer.json()["code"], answer.json()["outcome"], tried) == ("unavailable", "not_executed", 1)


def test_a_full_queue_refuses_before_it_grows(transfer, ann, bob):
    group = Group(capacity=2, patience=10)
    with ThreadPoolExecutor(2) as threads:
        waiting = [threads.submit(outcome_of, group, transfer(ann, bob)) for _ in range(2)]
        until_waiting(group, 2)
        before = snapshot()
        assert outcome_of(group, transfer(ann, bob)) == "overloaded"
        assert snapshot() == before
        group.start()
        assert [one.result(30) for one in waiting] == ["settled", "settled"]


def test_what_never_began_is_taken_back_when_its_time_is_over(transfer, shop, ann, bob):
    group = Group(capacity=10, patience=0.05)

    assert outcome_of(group, transfer(ann, bob)) == "deadline_exceeded"
    group.patience = 10
    assert together(group, [transfer(ann, bob)]) == ["settled"]

    assert shop.balance(bob) == "1.00"


def test_what_has_begun_and_is_not_done_in_time_is_unknown_and_the_key_tells(transfer, shop, ann, bob):
    group = Group(capacity=10, patience=0.5)
    command = transfer(ann, bob)

    with locked(ann):
        assert together(group, [command]) == ["outcome_unknown"]

    assert submit(command).status == 201
    assert shop.balance(bob) == "1.00"


def test_what_waits_for_a_side_lane_beyond_its_time_is_never_executed(transfer, shop, bob):
    """There are three lanes at most; the fourth wallet's payment does not begin in time."""
    group, busy = Group(capacity=10, patience=1.0), [shop.wallet(holding="1.00") for _ in range(4)]
    commands = [transfer(wallet, bob) for wallet in busy]

    with ExitStack() as held:
        for wallet in busy:
            held.enter_context(locked(wallet))
        codes = together(group, commands)

    assert sorted(codes) == ["deadline_exceeded"] + ["outcome_unknown"] * 3
    time.sleep(1.5)  # the lanes are done with what had begun
    late = codes.index("deadline_exceeded")
    assert shop.balance(busy[late]) == "1.00"
    assert submit(commands[late]).code == "settled"


def test_a_locked_wallet_keeps_few_waiting_and_refuses_the_rest_at_once(group, transfer, shop, ann, bob):
    busy = shop.wallet(holding="100.00")
    started = time.monotonic()

    with locked(busy):
        codes = together(group, [*(transfer(busy, bob) for _ in range(40)), transfer(ann, bob)])
        again = time.monotonic()
        assert submit_all(group, [transfer(ann, bob) for _ in range(8)]) == ["settled"] * 8

    assert codes == ["lock_timeout"] * 40 + ["settled"]
    assert again - started < 4  # one by one on two side lanes it took more than ten


def test_what_waited_for_a_wallet_pays_as_soon_as_it_is_free(group, transfer, shop, bob):
    busy = shop.wallet(holding="100.00")
    held = locked(busy)
    held.__enter__()
    threading.Timer(0.6, held.__exit__, (None, None, None)).start()

    assert together(group, [transfer(busy, bob) for _ in range(12)]) == ["settled"] * 12

    assert submit_all(group, [transfer(busy, bob) for _ in range(12)]) == ["settled"] * 12
    assert shop.balance(busy) == "76.00"


def test_a_copy_in_progress_that_waits_for_a_wallet_is_told_so_alone(group, transfer, shop, bob):
    busy = shop.wallet(holding="100.00")
    first, copy, other = (transfer(busy, bob) for _ in range(3))
    group.start()

    with locked(busy), claimed(copy), ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(outcome_of, group, first)]
        while not group.lanes.lanes:
            time.sleep(0.001)
        waiting += [threads.submit(outcome_of, group, command) for command in (copy, other)]
        codes = [one.result(30) for one in waiting]

    assert codes == ["lock_timeout", "idempotency_in_progress", "lock_timeout"]


def test_many_locked_wallets_keep_no_more_than_half_of_the_web_threads_waiting(group, transfer, shop, bob):
    busy = [shop.wallet(holding="100.00") for _ in range(4)]

    with ExitStack() as held:
        for wallet in busy:
            held.enter_context(locked(wallet))
        codes = together(group, [transfer(wallet, bob) for wallet in busy for _ in range(12)])

    assert Counter(codes) == {"lock_timeout": 32, "overloaded": 16}


def test_payments_on_a_locked_wallet_do_not_make_others_wait_for_a_web_thread(shop, ann, bob):
    """As many threads as a web process has."""

    def guarded(ask):
        try:
            return ask().status_code
        finally:
            db.close()

    with locked(ann), ThreadPoolExecutor(64) as web:
        paying = [web.submit(guarded, lambda: shop.pay(ann, bob, "1.00")) for _ in range(256)]
        asked = time.monotonic()
        assert web.submit(guarded, lambda: shop.get(f"/wallets/{bob}")).result(60) == 200
        waited = time.monotonic() - asked
        assert {one.result(60) for one in paying} == {429}

    assert waited < 4


def test_a_key_of_two_copies_in_one_batch_pays_once(group, transfer, shop, ann, bob):
    command = transfer(ann, bob)

    copies = [command, command, replace(command, fingerprint=b"y" * 32)]
    assert together(group, copies) == ["settled", "replayed", "idempotency_key_reused"]
    assert shop.balance(bob) == "1.00"


def test_a_dry_database_refuses_all_and_executes_none(group, transfer, shop, ann, bob):
    pool = money_pool()
    taken = [pool.getconn() for _ in range(pool.max_size)]
    try:
        codes = together(group, [transfer(ann, bob), transfer(ann, bob)])
    finally:
        for connection in taken:
            pool.putconn(connection)

    assert codes == ["unavailable", "unavailable"]
    assert shop.balance(bob) == "0.00"


def test_dry_runs_on_a_locked_wallet_do_not_take_the_connections_of_payments(shop, ann, bob):
    carol, dave = shop.wallet(holding="10.00"), shop.wallet()
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"}

    ended = threading.Event()

    def dry_runs(_):
        seen = set()
        try:
            while not ended.is_set():
                seen.add(shop.post("/payments?dry_run=true", body).status_code)
            return seen
        finally:
            db.close()

    with locked(ann), ThreadPoolExecutor(32) as pool:
        running = [pool.submit(dry_runs, number) for number in range(32)]
        time.sleep(0.5)
        paid = [shop.pay(carol, dave, "1.00").status_code for _ in range(6)]
        ended.set()
        refused = {status for one in running for status in one.result()}

    assert paid == [201] * 6
    assert refused <= {201, 503}
