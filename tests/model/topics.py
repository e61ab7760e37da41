"""Reading whole topics of Kafka, and judging what is in them."""

from __future__ import annotations

from collections import Counter
from uuid import uuid4

import orjson
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, TopicPartition

Messages = list[tuple[str, bytes, dict[str, str]]]


def read_topic(servers: str, topic: str) -> dict[int, Messages]:
    """Return every message of a topic, by partition: key, value and headers."""
    reader = KafkaConsumer({"bootstrap.servers": servers, "group.id": uuid4().hex, "enable.partition.eof": True})
    partitions = reader.list_topics(topic, 10).topics[topic].partitions
    reader.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    found: dict[int, Messages] = {partition: [] for partition in partitions}
    ended = set()
    while len(ended) < len(partitions):
        message = reader.poll(20)
        assert message is not None, f"the end of {topic} did not come"
        if message.error():
            assert message.error().code() == KafkaError._PARTITION_EOF, message.error()
            ended.add(message.partition())
            continue
        headers = {name: value.decode() for name, value in message.headers()}
        found[message.partition()].append((message.key().decode(), message.value(), headers))
    reader.close()
    return found


def by_key(partitions: dict[int, Messages]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = {}
    for messages in partitions.values():
        for key, value, _ in messages:
            found.setdefault(key, []).append(value)
    return found


def faults_of_topics(servers: str, told: set[bytes], seqs: dict[str, int]) -> tuple[list[str], int]:
    """
    Return what is wrong with the topics, and how many messages repeat others.

    ``told`` are the envelopes of all events, ``seqs`` the number of entries of each wallet.
    """
    topics = {topic: by_key(read_topic(servers, topic)) for topic in ("payments", "wallets", "entries")}
    faults = []
    values = [value for topic in ("payments", "wallets") for messages in topics[topic].values() for value in messages]
    if set(values) != told:
        faults.append(f"{len(told - set(values))} events are missing, {len(set(values) - told)} are none of ours")
    repeated = Counter(values).total() - len(set(values))
    for topic, keys in topics.items():
        for key, messages in keys.items():
            firsts = [orjson.loads(value) for value in dict.fromkeys(messages)]
            if len({one["id"] for one in firsts}) != len(firsts):
                faults.append(f"{topic} {key}: the same event in other bytes")
            order = [int(one["sequence"]) for one in firsts]
            if order != sorted(order):
                faults.append(f"{topic} {key}: out of order")
    for wallet, last in seqs.items():
        entries = [orjson.loads(value)["data"]["seq"] for value in dict.fromkeys(topics["entries"].get(wallet, []))]
        if entries != list(range(1, last + 1)):
            faults.append(f"wallet {wallet}: {len(entries)} entries of {last}, or not in order")
    return faults, repeated
