"""
The Kafka relay: the log, in its order, into topics.

- ``payments``: events of payments, keyed by payment; ``wallets``: those of wallets, keyed by wallet;
- ``entries``: a message for each of a wallet's entries, keyed by wallet, taken from the payment's event.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from events.envelope import CONTENT_TYPE, entry_envelopes, envelope
from events.models import Event
from events.working import Halted

logger = logging.getLogger(__name__)

TOPICS = ("payments", "wallets", "entries")
PARTITIONS = 6
DELIVERY_SECONDS = 10

Message = tuple[str, str, bytes]


class KafkaRelay:
    """One process's producer. ``servers`` is Kafka's list of ``host:port``."""

    name = "kafka"

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.producer: Producer | None = None

    def publish(self, events: Sequence[Event]) -> None:
        """Return when all replicas have all messages of the events."""
        producer = self.producer = self.producer or _producer(self.servers)
        failed: list[str] = []

        def delivered(error: Any, message: Any) -> None:
            if error is not None:
                failed.append(str(error))

        try:
            for event in events:
                for topic, key, value in messages(event):
                    producer.produce(topic, value, key, headers=_headers(event), on_delivery=delivered)
                producer.poll(0)
            left = producer.flush(DELIVERY_SECONDS)
        except (KafkaException, BufferError) as error:
            failed.append(str(error))
            left = 0
        if failed or left:
            # An idempotent producer that gave messages up is of no more use.
            self.producer = None
            producer.purge()
            raise Halted(f"Kafka did not take {left + len(failed)} messages: {failed[0] if failed else 'no answer'}")


def messages(event: Event) -> Iterator[Message]:
    """Yield an event's messages: topic, key and value."""
    yield "wallets" if event.type.startswith("wallet.") else "payments", str(event.subject), envelope(event)
    for wallet, told in entry_envelopes(event):
        yield "entries", wallet, told


def make_topics(servers: str) -> None:
    """Make the topics that are missing; a broker that makes them by itself is left alone."""
    # Kept by name: its answers come only as long as it lives.
    admin = AdminClient({"bootstrap.servers": servers})
    topics = [NewTopic(topic, PARTITIONS) for topic in TOPICS]
    for name, made in admin.create_topics(topics, request_timeout=DELIVERY_SECONDS).items():
        try:
            made.result()
        except KafkaException as error:
            if "EXISTS" not in str(error):
                logger.warning("The topic %s could not be made: %s", name, error)


def _producer(servers: str) -> Producer:
    return Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            "compression.type": "lz4",
            "linger.ms": 5,
            "message.timeout.ms": DELIVERY_SECONDS * 1000,
            # More at once than ever wait, so that it never refuses one for want of room.
            "queue.buffering.max.messages": 1_000_000,
        }
    )


def _headers(event: Event) -> list[tuple[str, str | bytes | None]]:
    return [
        ("content-type", CONTENT_TYPE),
        ("ce_id", str(event.event_id)),
        ("ce_type", event.type),
        ("position", str(event.position)),
        ("correlation-id", event.correlation_id),
        *([("traceparent", event.traceparent)] if event.traceparent else []),
    ]
