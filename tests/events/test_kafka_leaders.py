"""The Kafka relay while partitions change their leaders: nothing lost, each key's messages in order."""

from __future__ import annotations

from threading import Event, Thread

import orjson
import pytest

from events import log
from events.envelope import envelope
from events.kafka import PARTITIONS, TOPICS, KafkaRelay
from events.models import Cursor
from events.relaying import relay as pass_on
from events.sequencer import sequence
from events.working import Halted
from tests.events.mock_kafka import MockKafka
from tests.model.topics import by_key, read_topic

# Bounded: a machine that is too busy to pass a batch on between two of them gets on once they are over.
CHANGES = 300


@pytest.fixture
def cluster():
    made = MockKafka(TOPICS, PARTITIONS)
    yield made
    made.close()


def test_leaders_that_change_delay_and_lose_nothing(shop, cluster, monkeypatch):
    monkeypatch.setattr("events.relaying.AT_ONCE", 20)
    while sequence():
        pass
    start = log.head()
    Cursor.objects.update_or_create(name=KafkaRelay.name, defaults={"position": start})
    ann, bob = shop.wallet(holding="1000.00"), shop.wallet()
    for _ in range(150):
        shop.pay(ann, bob, "1.00")
    while sequence():
        pass
    over = Event()

    def unsettle():
        for turn in range(1, CHANGES + 1):
            if over.wait(0.02):
                break
            cluster.lead(turn)

    changing = Thread(target=unsettle)
    changing.start()
    relay = KafkaRelay(cluster.servers)
    while Cursor.objects.get(name=KafkaRelay.name).position < log.head():
        try:
            pass_on(relay)
        except Halted:
            continue
        finally:
            if Cursor.objects.get(name=KafkaRelay.name).position > start + 200:
                over.set()
    over.set()
    changing.join()

    topics = [by_key(read_topic(cluster.servers, topic)) for topic in ("payments", "wallets")]
    came = [value for topic in topics for messages in topic.values() for value in messages]
    assert set(came) == {envelope(event) for event in log.read(after=start, limit=1000)}
    entries = by_key(read_topic(cluster.servers, "entries"))
    for wallet in (ann, bob):
        seqs = [orjson.loads(value)["data"]["seq"] for value in dict.fromkeys(entries[wallet])]
        assert seqs == list(range(1, len(seqs) + 1))
        assert len(seqs) >= 150
