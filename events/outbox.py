"""Record facts in the transaction that makes them true: announced if, and only if, it commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

# Written one statement a batch, in the batch's order, while its accounts are locked: the ids that
# the INSERT draws follow each wallet's own order.
INSERT_EVENTS = """
    INSERT INTO outbox_events (event_id, type, subject, time, correlation_id, traceparent, data)
    SELECT n.event_id, n.type, n.subject, n.time, n.correlation_id, n.traceparent, n.data
      FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::text[])
           WITH ORDINALITY
           AS n (event_id, type, subject, time, correlation_id, traceparent, data, place)
     ORDER BY n.place
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. ``type`` is ``payment.settled`` and the like; ``data`` is JSON."""

    event_id: UUID
    type: str
    subject: UUID
    time: datetime
    correlation_id: str
    traceparent: str
    data: dict[str, Any]

    def row(self) -> tuple[Any, ...]:
        return (
            self.event_id, self.type, self.subject, self.time,
            self.correlation_id, self.traceparent, orjson.dumps(self.data).decode(),
        )  # fmt: skip


def record(facts: Sequence[Fact]) -> None:
    """
    Record facts in the transaction open on Django's connection.

    The caller holds the lock of the account that the facts are about, or has just made it.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("a fact is recorded in the transaction that makes it true")
    with connection.cursor() as cursor:
        cursor.execute(INSERT_EVENTS, [list(column) for column in zip(*(fact.row() for fact in facts), strict=True)])
