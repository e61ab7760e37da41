"""Consumers: each event's effect is had once, whatever fails; a poisonous one holds up only its own."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import UUID, uuid4

import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.transaction import atomic
from django.test.utils import CaptureQueriesContext

from events import consuming, log
from events import parked as parked_events
from events.consumers import CONSUMERS, Consumer
from events.management.commands.consume import consume_each
from events.models import Cursor, ParkedEvent, ProcessedEvent
from events.sequencer import sequence
from events.types import PAYMENT_EVENTS
from events.working import Halted
from tests.ledger.test_database_rules import connect
from tests.money import rows

WAITING = (
    "SELECT FROM pg_locks"
    " WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


class Diary:
    """What a consumer of the tests has noted, in a table, so that its notes come and go with transactions."""

    def __init__(self, name, *, order_of_wallets=False):
        self.hates = set()
        self.consumer = Consumer(
            name, "notes", frozenset(PAYMENT_EVENTS), self.apply, self.forget, order_of_wallets=order_of_wallets
        )

    def apply(self, events):
        for event in events:
            if event.subject in self.hates:
                raise ValueError(f"poison {event.subject}")
            # Any table that app may write will do; the name keeps the tests apart.
            Cursor.objects.create(name=f"{self.consumer.name}:{event.position}", position=event.position)

    def forget(self):
        raise AssertionError

    def notes(self):
        """The positions noted, in the order of noting."""
        noted = "SELECT position FROM event_cursors WHERE name LIKE %s ORDER BY moved_at"
        found = rows(noted, f"{self.consumer.name}:%")
        return [position for (position,) in found]


def sequence_all():
    while sequence():
        pass


def consume_all(consumer):
    while consuming.consume(consumer):
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(consuming, "PAUSE_SECONDS", 0)


@pytest.fixture
def diary():
    """A consumer that begins where the log is now."""
    return begin(Diary(f"diary-{uuid4().hex[:8]}"))


def begin(diary):
    sequence_all()
    Cursor.objects.create(name=diary.consumer.name, position=log.head())
    return diary


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def bob(shop):
    return shop.wallet()


def until(what, seconds=10):
    """Wait until ``what`` comes true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def pay(shop, sender, receiver, amount="1.00"):
    """Pay, and return the payment's id and its position in the log."""
    paid = UUID(shop.pay(sender, receiver, amount).json()["id"])
    sequence_all()
    return paid, log.head()


def test_each_event_has_its_effect_once_in_order_and_again_after_a_replay(shop, ann, bob, diary):
    positions = [pay(shop, ann, bob)[1] for _ in range(5)]
    consume_all(diary.consumer)
    noted = diary.notes()

    for after in (0, positions[2], 0):
        consuming.replay(diary.consumer, after=max(after, positions[0] - 1))
        consume_all(diary.consumer)

    assert diary.notes() == noted
    assert noted[-5:] == positions


def test_a_crash_between_effect_and_mark_leaves_neither(shop, ann, bob, diary, monkeypatch):
    _, position = pay(shop, ann, bob)
    consume = diary.consumer

    def crash(name):
        raise OperationalError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(consuming, "fail_point", crash)
        with pytest.raises(OperationalError):
            consuming.consume(consume)
    assert position not in diary.notes()
    assert not ProcessedEvent.objects.filter(consumer=consume.name, position=position).exists()

    consume_all(consume)
    assert diary.notes().count(position) == 1


def test_two_of_the_same_consumer_at_once_have_each_effect_once(shop, ann, bob, diary, monkeypatch):
    monkeypatch.setattr(consuming, "AT_ONCE", 3)
    positions = [pay(shop, ann, bob)[1] for _ in range(20)]

    def run(_):
        try:
            consume_all(diary.consumer)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(run, range(3)))

    assert diary.notes()[-20:] == positions


def test_a_poisonous_event_is_set_aside_and_holds_up_only_its_own_payment(shop, ann, bob, diary):
    held = UUID(shop.pay(ann, bob, "5.00", capture=False).json()["id"])
    diary.hates = {held}
    sequence_all()
    shop.post(f"/payments/{held}/void", {})
    _, other = pay(shop, ann, bob)

    consume_all(diary.consumer)

    assert diary.notes()[-1] == other
    parked = list(ParkedEvent.objects.filter(consumer=diary.consumer.name).order_by("position"))
    assert [(bool(event.error), event.tries) for event in parked] == [(True, consuming.TRIES), (False, 0)]
    assert parked[0].error == f"ValueError: poison {held}"

    assert parked_events.retry(diary.consumer) == 0
    diary.hates = set()
    assert parked_events.retry(diary.consumer) == 2
    assert diary.notes()[-2:] == [event.position for event in parked]
    assert not ParkedEvent.objects.filter(consumer=diary.consumer.name).exists()


def test_an_event_that_nobody_tried_is_not_set_aside_for_another(shop, ann, bob, diary, monkeypatch):
    """Another process, with the cause mended, gets past the poison when this one has failed for the last time."""
    monkeypatch.setattr(consuming, "AT_ONCE", 1)
    poison, position = pay(shop, ann, bob)
    _, healthy = pay(shop, ann, bob)
    diary.hates = {poison}
    tries, passed = [], []

    def pass_it():
        with connect("owner") as session:
            # Granted as the last try is rolled back; what follows it here looks at this table first, and waits.
            session.execute("LOCK TABLE parked_events IN ACCESS EXCLUSIVE MODE")
            session.execute("INSERT INTO processed_events VALUES (%s, %s)", (diary.consumer.name, position))
            session.execute("UPDATE event_cursors SET position = %s WHERE name = %s", (position, diary.consumer.name))

    with ThreadPoolExecutor(1) as other:

        def apply(events):
            tries.append(events)
            if len(tries) == 1 + consuming.TRIES:
                passed.append(other.submit(pass_it))
                until(lambda: rows(WAITING))
            diary.apply(events)

        consuming.consume(replace(diary.consumer, apply=apply))
        [one.result() for one in passed]
    consume_all(diary.consumer)

    assert not ParkedEvent.objects.filter(consumer=diary.consumer.name).exists()
    assert diary.notes()[-1] == healthy


def test_a_poisonous_event_late_in_a_batch_makes_the_batch_fail_once(shop, ann, bob, diary):
    payments = [pay(shop, ann, bob) for _ in range(12)]
    diary.hates = {payments[9][0]}
    applied = []

    def apply(events):
        applied.append(len(events))
        diary.apply(events)

    while consuming.consume(replace(diary.consumer, apply=apply)):
        pass

    # The batch, its events up to the poison one by one, and then what is left at once.
    assert applied == [12, *[1] * 9, *[1] * consuming.TRIES, 2]


def test_where_the_order_of_wallets_matters_they_wait_but_never_a_system_account(shop, ann, bob):
    diary = begin(Diary(f"diary-{uuid4().hex[:8]}", order_of_wallets=True))
    carol, dave = shop.wallet(), shop.wallet()
    poison, first = pay(shop, ann, bob)
    diary.hates = {poison}
    _, second = pay(shop, bob, carol)
    _, third = pay(shop, carol, dave, "0.50")
    shop.post("/topups", {"wallet_id": dave, "amount": "1.00"})
    sequence_all()
    eve = shop.wallet(holding="1.00")
    sequence_all()

    consume_all(diary.consumer)

    # dave waits for carol, carol for bob, bob for the poison; eve's money came from the treasury, as dave's.
    waiting = list(ParkedEvent.objects.filter(consumer=diary.consumer.name).order_by("position"))
    assert [event.position for event in waiting] == [first, second, third, third + 1]
    free = log.read_of_wallet(UUID(eve), after=0, limit=9, types=["payment.settled"])
    assert diary.notes()[-1] == free[-1].position


def test_a_replay_does_not_apply_what_is_set_aside(shop, ann, bob, diary):
    poison, position = pay(shop, ann, bob)
    diary.hates = {poison}
    consume_all(diary.consumer)
    diary.hates = set()

    consuming.replay(diary.consumer, after=position - 1)
    consume_all(diary.consumer)

    assert position not in diary.notes()
    assert parked_events.retry(diary.consumer) == 1


def test_a_consumer_that_fails_on_everything_halts(shop, ann, bob, diary, monkeypatch):
    monkeypatch.setattr(consuming, "MOST_PARKED", 2)
    payments = [pay(shop, ann, bob) for _ in range(4)]
    diary.hates = {payment for payment, _ in payments}

    with pytest.raises(Halted, match="2 events aside"):
        consume_all(diary.consumer)

    assert consuming.position(diary.consumer) == payments[1][1]


def test_events_are_marked_in_the_transaction_of_their_effect(shop, ann, bob, diary):
    _, position = pay(shop, ann, bob)
    event = log.read(after=position - 1, limit=1)

    def deliver_and_fail():
        with atomic():
            consuming.deliver(diary.consumer, event)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        deliver_and_fail()
    with atomic():
        consuming.deliver(diary.consumer, event * 2)
        consuming.deliver(diary.consumer, event)

    assert diary.notes().count(position) == 1


def test_a_rebuild_may_take_longer_than_any_other_statement(diary):
    def reset():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = '500ms'")
    try:
        consuming.rebuild(replace(diary.consumer, reset=reset))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")

    assert consuming.position(diary.consumer) == 0


def test_looking_where_there_is_nothing_to_do_locks_and_writes_nothing(shop, ann, bob, diary):
    pay(shop, ann, bob)
    consume_all(diary.consumer)

    with connect("default") as session, CaptureQueriesContext(connection) as asked:
        session.execute("SELECT FROM event_cursors WHERE name = %s FOR UPDATE", (diary.consumer.name,))
        assert consuming.consume(diary.consumer) == 0

    assert len(asked) == 2


def test_a_consumer_that_is_halted_does_not_hold_up_the_others(shop, ann, bob, diary, monkeypatch):
    monkeypatch.setattr(consuming, "MOST_PARKED", 0)
    other = begin(Diary(f"diary-{uuid4().hex[:8]}"))
    poison, position = pay(shop, ann, bob)
    diary.hates = {poison}

    assert consume_each([diary.consumer, other.consumer]) > 0
    assert other.notes()[-1] == position
    with pytest.raises(Halted):
        consume_each([diary.consumer, other.consumer])


def test_a_consumer_whose_cursor_is_locked_does_not_hold_up_the_others(shop, ann, bob, diary):
    other = begin(Diary(f"diary-{uuid4().hex[:8]}"))
    _, position = pay(shop, ann, bob)

    with connect("default") as session:
        session.execute("SELECT FROM event_cursors WHERE name = %s FOR UPDATE", (diary.consumer.name,))
        assert consume_each([diary.consumer, other.consumer]) > 0
        with pytest.raises(OperationalError):
            consume_each([diary.consumer, other.consumer])

    assert other.notes()[-1] == position
    assert consume_each([diary.consumer, other.consumer]) > 0


@pytest.fixture
def registered(diary, monkeypatch):
    monkeypatch.setitem(CONSUMERS, diary.consumer.name, diary.consumer)
    return diary


def test_the_commands_consume_replay_and_retry(shop, ann, bob, registered, capsys):
    name = registered.consumer.name
    poison, first = pay(shop, ann, bob)
    _, second = pay(shop, ann, bob)
    registered.hates = {poison}

    call_command("consume", name, once=True)
    assert registered.notes()[-1] == second
    call_command("replay", name, "--from", str(first - 1))
    registered.hates = set()
    call_command("consume", name, retry=True)

    assert registered.notes()[-2:] == [second, first]
    assert f"{name}: 1 events went through." in capsys.readouterr().out


def test_the_commands_say_why_a_consumer_is_halted_and_go_on_with_the_others(shop, ann, bob, registered, monkeypatch):
    monkeypatch.setattr(consuming, "MOST_PARKED", 0)
    other = begin(Diary(f"diary-{uuid4().hex[:8]}"))
    monkeypatch.setitem(CONSUMERS, other.consumer.name, other.consumer)
    poison, position = pay(shop, ann, bob)
    registered.hates = {poison}

    with pytest.raises(CommandError, match=f"{registered.consumer.name} set 0 events aside"):
        call_command("replay", registered.consumer.name, "--from", "0")
    with pytest.raises(CommandError, match=f"{registered.consumer.name} set 0 events aside"):
        call_command("consume", registered.consumer.name, other.consumer.name, once=True)

    assert other.notes()[-1] == position


def test_the_commands_say_why_they_failed_where_a_consumers_cursor_is_locked(shop, ann, bob, registered):
    pay(shop, ann, bob)
    name = registered.consumer.name

    with connect("default") as session:
        session.execute("SELECT FROM event_cursors WHERE name = %s FOR UPDATE", (name,))
        for asked in (["replay", name, "--from", "0"], ["consume", name, "--once"]):
            with pytest.raises(CommandError, match="lock timeout"):
                call_command(*asked)


def test_a_replay_never_passes_over_what_was_not_read(shop, ann, bob, registered):
    _, position = pay(shop, ann, bob)

    call_command("replay", registered.consumer.name, "--from", "999999999")

    assert registered.notes()[-1] == position


@pytest.mark.parametrize(
    "asked",
    [["consume", "nobody"], ["replay", "nobody", "--from", "0"], ["replay", "figures"],
     ["replay", "figures", "--from", "-1"], ["replay", "figures", "--from", "x"],
     ["replay", "figures", "--from", "0", "--rebuild"]],
)  # fmt: skip
def test_a_command_that_makes_no_sense_is_refused(asked):
    with pytest.raises(CommandError):
        call_command(*asked)


def test_an_event_tells_its_data_as_it_was_written(shop, ann, bob):
    _, position = pay(shop, ann, bob)
    [event] = log.read(after=position - 1, limit=1)
    assert orjson.loads(event.data)["amount"] == "1.00"
