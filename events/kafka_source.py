"""
A consumer that is woken by Kafka instead of its cursor: the same effects, had once by the same marks.

A message only names an event, which is read from the log. So what is not in the log has no effect, whoever
wrote it into the topic, and whatever was there before the log was restored to an earlier moment.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import orjson
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, Message
from django.db.transaction import atomic

from events.consumers import Consumer
from events.consuming import TRANSIENT, deliver, deliver_alone
from events.models import Event
from events.working import Halted

logger = logging.getLogger(__name__)

TOPICS = ["payments", "wallets"]
AT_ONCE = 500
WAIT_SECONDS = 0.5
_POSITION = re.compile("[1-9][0-9]{0,17}")


class KafkaSource:
    """One member of the consumer's group; several share the partitions."""

    def __init__(self, consumer: Consumer, servers: str) -> None:
        self.consumer = consumer
        self.kafka = KafkaConsumer(
            {
                "bootstrap.servers": servers,
                "group.id": consumer.name,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": 6000,
            }
        )
        self.kafka.subscribe(TOPICS)
        # What was taken from Kafka and had no effect yet: its offsets must not be committed before.
        self.taken: list[Message] = []

    def __enter__(self) -> KafkaSource:
        return self

    def __exit__(self, *raised: object) -> None:
        self.kafka.close()

    def step(self) -> int:
        """
        Take the next messages; return how many there were. Offsets are committed after their effects.

        :raises Halted: where the broker refuses; what was taken before is kept for the next step
        """
        try:
            found = self.taken or self.kafka.consume(AT_ONCE, WAIT_SECONDS)
            self.taken = [message for message in found if not message.error()]
            if not self.taken:
                return 0
            self._deliver(_events(self.taken))
            done, self.taken = len(self.taken), []
            self.kafka.commit(asynchronous=False)
        except KafkaException as error:
            raise Halted(f"Kafka: {error}") from error
        return done

    def _deliver(self, events: Sequence[Event]) -> None:
        try:
            with atomic():
                deliver(self.consumer, events)
        except Exception as error:
            if isinstance(error, TRANSIENT):
                raise
            for event in events:
                deliver_alone(self.consumer, event)


def _events(messages: Sequence[Message]) -> list[Event]:
    """Return the events that messages name, as the log has them; what it does not have is passed over."""
    named = [_named(message) for message in messages]
    logged = {event.position: event for event in Event.objects.filter(position__in=[position for position, _ in named])}
    found: list[Event] = []
    for message, (position, event_id) in zip(messages, named, strict=True):
        event = logged.get(position)
        if event is None or str(event.event_id) != event_id:
            where = message.topic(), message.partition(), message.offset()
            logger.warning("What Kafka has at %s %s %s is not an event of the log", *where)
        else:
            found.append(event)
    return found


def _named(message: Message) -> tuple[int, Any]:
    """Return the position and id that a message names; position 0, where nothing is, where it is no event."""
    try:
        told = orjson.loads(message.value() or b"")
        position = told["sequence"]
        return int(position) if _POSITION.fullmatch(position) else 0, told["id"]
    except (ValueError, TypeError, KeyError):
        return 0, None
