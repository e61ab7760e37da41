"""A consumer that reads Kafka instead of the log: the same effects, had once by the same marks."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, Message
from django.db.transaction import atomic

from events.consumers import Consumer
from events.consuming import TRANSIENT, deliver, deliver_alone
from events.envelope import from_envelope
from events.models import Event
from events.working import Halted

TOPICS = ["payments", "wallets"]
AT_ONCE = 500
WAIT_SECONDS = 0.5


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
            self._deliver([from_envelope(message.value() or b"") for message in self.taken])
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
