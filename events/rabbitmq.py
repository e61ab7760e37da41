"""
The RabbitMQ relay: the log, in its order, into one topic exchange, with publisher confirms.

The routing key is the event's type and asset (``payment.settled.EUR``), so that a queue is bound to
``payment.#``, ``*.*.EUR`` or ``#``. RabbitMQ keeps messages in queues only: bind one before they come.
https://www.rabbitmq.com/docs/confirms
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amqp.basic_message import Message
from amqp.exceptions import AMQPError
from kombu.connection import Connection
from kombu.exceptions import OperationalError

from events.envelope import CONTENT_TYPE, envelope
from events.models import Event
from events.working import Halted

EXCHANGE = "walletplatform.events"
CONNECT_SECONDS = 5
CONFIRM_SECONDS = 10
_PERSISTENT = 2


class RabbitRelay:
    """One process's channel. ``url`` is ``amqp://user:password@host:port/vhost`` or ``amqps://``."""

    name = "rabbitmq"

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: Any = None
        self.channel: Any = None
        self.unconfirmed: set[int] = set()
        self.refused = 0

    def publish(self, events: Sequence[Event]) -> None:
        """Return when the broker has confirmed all of the events."""
        try:
            self._connect()
            for event in events:
                self.channel.basic_publish(_message(event), EXCHANGE, f"{event.type}.{event.asset}",
                                           timeout=CONFIRM_SECONDS)  # fmt: skip
                self.tag += 1
                self.unconfirmed.add(self.tag)
            while self.unconfirmed:
                self.channel.connection.drain_events(timeout=CONFIRM_SECONDS)
        except (AMQPError, OperationalError, OSError) as error:
            self.close()
            raise Halted(f"RabbitMQ: {str(error) or type(error).__name__}") from error
        if self.refused:
            refused, self.refused = self.refused, 0
            raise Halted(f"RabbitMQ refused {refused} messages")

    def close(self) -> None:
        """Forget the connection; the next events are published on a new one."""
        if self.connection is not None:
            self.connection.collect(socket_timeout=1)
        self.connection = self.channel = None

    def _connect(self) -> None:
        if self.channel is not None:
            return
        self.connection = Connection(self.url, connect_timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
        self.channel = self.connection.channel()
        self.channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        self.channel.confirm_select()
        self.channel.events["basic_ack"].add(self._confirmed)
        self.channel.events["basic_nack"].add(self._refused)
        # The broker counts the channel's messages from 1.
        self.tag, self.unconfirmed, self.refused = 0, set(), 0

    def _confirmed(self, tag: int, multiple: bool) -> None:
        self.unconfirmed -= {one for one in self.unconfirmed if one <= tag} if multiple else {tag}

    def _refused(self, tag: int, multiple: bool) -> None:
        before = len(self.unconfirmed)
        self._confirmed(tag, multiple)
        self.refused += before - len(self.unconfirmed)


def _message(event: Event) -> Message:
    traced = {"traceparent": event.traceparent} if event.traceparent else {}
    return Message(
        envelope(event),
        content_type=CONTENT_TYPE,
        delivery_mode=_PERSISTENT,
        message_id=str(event.event_id),
        correlation_id=event.correlation_id,
        timestamp=int(event.time.timestamp()),
        type=event.type,
        application_headers={"position": event.position, "subject": str(event.subject)} | traced,
    )
