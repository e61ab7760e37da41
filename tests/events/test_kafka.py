"""The Kafka relay against a real broker: nothing lost, each key's messages in order, duplicates the same bytes."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from threading import Timer
from uuid import uuid4

import orjson
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from django.core.management import CommandError, call_command
from django.db import OperationalError

from events import consuming, kafka, kafka_source, log, relaying
from events.consumers import Consumer
from events.envelope import envelope
from events.kafka import KafkaRelay, make_topics
from events.kafka_source import KafkaSource
from events.models import Cursor
from events.relaying import relay as pass_on
from events.sequencer import sequence
from events.types import TYPES
from events.working import Halted
from tests.model.topics import by_key, read_topic
from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.kafka import Kafka


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return DataDir(tmp_path_factory.mktemp("kafka"))


@pytest.fixture
def broker(data_dir):
    """A broker of the test's own, empty."""
    started = Kafka(data_dir)
    started.start()
    make_topics(started.servers(running=True))
    yield started
    started.stop()


@pytest.fixture
def relay(broker):
    """A relay that begins where the log is now."""
    while sequence():
        pass
    Cursor.objects.update_or_create(name=KafkaRelay.name, defaults={"position": log.head()})
    return KafkaRelay(broker.servers(running=True))


def publish_all(relay):
    while sequence():
        pass
    while pass_on(relay):
        pass


def read(broker, topic):
    return read_topic(broker.servers(running=True), topic)


@pytest.fixture
def story(shop):
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()
    held = shop.pay(ann, bob, "5.00", capture=False).json()["id"]
    shop.post(f"/payments/{held}/capture", {"amount": "2.00", "final": False})
    shop.post(f"/payments/{held}/void", {})
    for _ in range(30):
        shop.pay(ann, bob, "0.10")
    return ann, bob, held


def test_every_event_comes_to_its_topic_under_its_key_with_its_headers(shop, broker, relay, story):
    start = Cursor.objects.get(name=KafkaRelay.name).position
    publish_all(relay)
    ann, bob, held = story
    told = log.read(after=start, limit=1000)

    payments, wallets = read(broker, "payments"), read(broker, "wallets")
    values = {value for messages in [*payments.values(), *wallets.values()] for _, value, _ in messages}
    assert values == {envelope(event) for event in told}
    states = [(event["type"], event["data"]["status"]) for event in map(orjson.loads, by_key(payments)[held])]
    assert states == [
        ("payment.authorized", "AUTHORIZED"), ("payment.captured", "AUTHORIZED"), ("payment.captured", "SETTLED"),
    ]  # fmt: skip
    assert set(by_key(wallets)) == {ann, bob}
    for key, value, headers in [message for messages in payments.values() for message in messages]:
        event = orjson.loads(value)
        assert (key, headers["ce_id"], headers["ce_type"]) == (event["subject"], event["id"], event["type"])
        assert (headers["position"], headers["correlation-id"]) == (event["sequence"], event["correlationid"])


def test_a_wallets_entries_come_in_the_order_of_its_count_without_a_gap(shop, broker, relay, story):
    publish_all(relay)
    ann, bob, _ = story

    entries = by_key(read(broker, "entries"))

    assert set(entries) == {ann, bob}
    for wallet in (ann, bob):
        told = [orjson.loads(value) for value in entries[wallet]]
        assert [one["data"]["seq"] for one in told] == list(range(1, len(told) + 1))
        assert len({one["id"] for one in told}) == len(told)
    assert orjson.loads(entries[bob][-1])["data"]["balance_after"] == "5.00"


def test_a_relay_that_dies_before_its_mark_repeats_the_same_bytes(shop, broker, relay, story, monkeypatch):
    while sequence():
        pass

    def die(name):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(relaying, "fail_point", die)
        with pytest.raises(SystemExit):
            pass_on(relay)
    publish_all(KafkaRelay(relay.servers))

    for values in by_key(read(broker, "payments")).values():
        first = list(dict.fromkeys(values))
        assert [values.count(value) for value in first] == [2] * len(first)
        assert values == first * 2


def test_a_broker_that_is_down_delays_and_loses_nothing(shop, broker, relay, story, monkeypatch):
    monkeypatch.setattr(kafka, "DELIVERY_SECONDS", 1)
    while sequence():
        pass
    start = Cursor.objects.get(name=KafkaRelay.name).position
    broker.stop()

    with pytest.raises(Halted, match="Kafka did not take"):
        pass_on(relay)

    assert Cursor.objects.get(name=KafkaRelay.name).position == start
    broker.start()
    make_topics(relay.servers)
    monkeypatch.setattr(kafka, "DELIVERY_SECONDS", 10)
    publish_all(relay)
    assert len(by_key(read(broker, "payments"))) == 33


def test_a_broker_that_is_frozen_delays_and_loses_nothing(shop, broker, relay, story):
    os.kill(broker.process.pid, signal.SIGSTOP)
    thaw = Timer(2, os.kill, [broker.process.pid, signal.SIGCONT])
    thaw.start()

    while sequence():
        pass
    while Cursor.objects.get(name=KafkaRelay.name).position < log.head():
        try:
            pass_on(relay)
        except Halted:
            continue

    thaw.join()
    assert len(by_key(read(broker, "payments"))) == 33


def test_a_consumer_reads_kafka_as_it_reads_the_log(shop, broker, relay, story):
    """What it had from one of them it does not have from the other again."""
    had = []
    consumer = Consumer(
        f"both-{uuid4().hex[:8]}", "notes", frozenset(TYPES), lambda events: had.extend(events), lambda: None
    )
    Cursor.objects.create(name=consumer.name, position=Cursor.objects.get(name=KafkaRelay.name).position)
    publish_all(relay)

    with KafkaSource(consumer, relay.servers) as source:
        while len(had) < len({event.position for event in had} | _positions(relay, story)):
            source.step()
    from_kafka = {event.position: event for event in had}
    assert len(from_kafka) == len(had)
    while consuming.consume(consumer):
        pass

    assert len(had) == len(from_kafka)
    for event in log.read(after=min(from_kafka) - 1, limit=1000):
        same = from_kafka[event.position]
        assert envelope(same) == envelope(event)
        assert (same.asset, set(same.wallet_ids)) == (event.asset, set(event.wallet_ids))


def test_a_database_that_fails_a_consumer_of_kafka_loses_it_nothing(shop, broker, relay, story, monkeypatch):
    had = []
    consumer = Consumer(
        f"fails-{uuid4().hex[:8]}", "notes", frozenset(TYPES), lambda events: had.extend(events), lambda: None
    )
    publish_all(relay)
    failures = iter(range(3))

    def fail_at_first(*arguments):
        if next(failures, None) is not None:
            raise OperationalError("the power went")
        return deliver(*arguments)

    deliver = kafka_source.deliver
    monkeypatch.setattr(kafka_source, "deliver", fail_at_first)
    with KafkaSource(consumer, relay.servers) as source:
        while not _positions(relay, story) <= {event.position for event in had}:
            with suppress(OperationalError):
                source.step()
    assert next(failures, None) is None
    assert len({event.position for event in had}) == len(had)


def _positions(relay, story):
    """The positions that the relay told of since the test began: those of the story's wallets."""
    ann, bob, _ = story
    return {
        event.position for wallet in (ann, bob) for event in log.read_of_wallet(wallet, after=0, limit=1000, types=[])
    }


def test_what_the_log_does_not_have_is_passed_over(shop, broker, relay, story, caplog):
    """What is no event, what was made up, and what is left from before the log was restored to an earlier moment."""
    had = []
    consumer = Consumer(
        f"strict-{uuid4().hex[:8]}", "notes", frozenset(TYPES), lambda events: had.extend(events), lambda: None
    )
    while sequence():
        pass
    start = Cursor.objects.get(name=KafkaRelay.name).position
    [event] = log.read(after=start, limit=1)
    real = orjson.loads(envelope(event))
    foreign = [
        None, b"", b"hello", b"{}", b"[]", b"7", orjson.dumps(real | {"sequence": str(log.head() + 1)}),
        orjson.dumps(real | {"id": str(uuid4())}), orjson.dumps(real | {"sequence": "9" * 30}),
        orjson.dumps(real | {"sequence": 7}), orjson.dumps(real | {"data": {"amount": "1000000.00"}}),
    ]  # fmt: skip
    producer = Producer({"bootstrap.servers": relay.servers})
    for value in foreign:
        producer.produce("payments", value, "key")
    producer.flush(10)
    publish_all(relay)

    with KafkaSource(consumer, relay.servers) as source:
        while not _positions(relay, story) <= {event.position for event in had}:
            source.step()

    assert [envelope(one) for one in had if one.position == event.position] == [envelope(event)]
    assert max(event.position for event in had) <= log.head()
    refused = {one.getMessage() for one in caplog.records if "is not an event of the log" in one.getMessage()}
    assert len(refused) == len(foreign) - 1


def test_the_relay_command_relays_and_rewinds(shop, broker, relay, story, settings):
    settings.KAFKA_BOOTSTRAP_SERVERS = relay.servers
    while sequence():
        pass
    call_command("relay", "kafka", once=True)
    assert Cursor.objects.get(name=KafkaRelay.name).position == log.head()

    call_command("relay", "kafka", rewind=True)

    assert Cursor.objects.get(name=KafkaRelay.name).position == 0


def test_topics_are_made_with_room_for_several_readers_and_again_without_ado(broker, caplog):
    make_topics(broker.servers(running=True))

    topics = AdminClient({"bootstrap.servers": broker.servers(running=True)}).list_topics(timeout=10).topics
    assert {name: len(topics[name].partitions) for name in kafka.TOPICS} == dict.fromkeys(kafka.TOPICS, 6)
    assert "could not be made" not in caplog.text


def test_without_a_broker_the_commands_say_what_to_set(settings):
    settings.KAFKA_BOOTSTRAP_SERVERS = ""
    with pytest.raises(CommandError, match="KAFKA_BOOTSTRAP_SERVERS"):
        call_command("relay", "kafka")
    with pytest.raises(CommandError, match="KAFKA_BOOTSTRAP_SERVERS"):
        call_command("consume", "figures", kafka=True)
