"""
What the relays have in common: read the log behind the cursor, publish, move the cursor.

The cursor moves when the broker has every message before it for good. So a relay or a broker that dies
delays events and repeats some, and never loses one; two relays repeat each other and lose nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from events import log
from events.models import Cursor, Event
from walletplatform.failpoints import fail_point

AT_ONCE = 500


class Relay(Protocol):
    """A broker that events are published to. ``name`` is its cursor's."""

    name: str

    def publish(self, events: Sequence[Event]) -> None:
        """
        Return when the broker has all of them for good.

        :raises Halted: where it did not take them all; they are published again
        """


def relay(to: Relay) -> int:
    """
    Publish the next events; return how many there were.

    :raises Halted: as ``Relay.publish``
    """
    with _alone(to.name) as alone:
        return _relay_next(to) if alone else 0


def _relay_next(to: Relay) -> int:
    cursor, _ = Cursor.objects.get_or_create(name=to.name)
    events = log.read(after=cursor.position, limit=AT_ONCE)
    if not events:
        return 0
    to.publish(events)
    fail_point("relay.published")
    # Where somebody moved it meanwhile, by a rewind or from another relay, it stays there.
    where_it_was = Cursor.objects.filter(name=to.name, position=cursor.position)
    where_it_was.update(position=events[-1].position, moved_at=timezone.now())
    return len(events)


@contextmanager
def _alone(name: str) -> Iterator[bool]:
    """
    Yield whether nobody else relays now. It spares duplicates, and ends with the session at the latest.

    It is let go of in the end: a session outlives its use, in a pool, and whoever has the next one could not get on.
    """
    lock = [zlib.crc32(f"relay {name}".encode())]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", lock)
        (alone,) = cursor.fetchone()
    try:
        yield alone
    finally:
        # With a session that broke on the way it has ended already.
        if alone:
            with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", lock)
