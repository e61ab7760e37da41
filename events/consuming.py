"""
Consuming the log: the effect, the mark that it was had, and the cursor commit together.

So neither a crash, nor a duplicate, nor a replay from 0 has an effect twice. An event on which a consumer
fails again and again is set aside, and with it the later ones that must not overtake it; all others go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection
from django.db.models import F
from django.db.models.functions import Least
from django.db.transaction import atomic
from django.utils import timezone

from events import log
from events.consumers import Consumer
from events.models import Cursor, Event, ParkedEvent, ProcessedEvent
from events.working import Halted
from walletplatform.failpoints import fail_point

logger = logging.getLogger(__name__)

AT_ONCE = 500
TRIES = 3
PAUSE_SECONDS = 0.2
# So many set aside: then it is the consumer that is broken, not its events.
MOST_PARKED = 100
# The database failed, or it is halted; the event is not to blame.
TRANSIENT = (OperationalError, InterfaceError, Halted)
_MARK = """
    INSERT INTO processed_events (consumer, position) SELECT %s, unnest(%s::bigint[])
    ON CONFLICT DO NOTHING RETURNING position
"""


def consume(consumer: Consumer) -> int:
    """
    Take the next events from the log; return how many there were.

    :raises OperationalError: where the database fails; nothing was done then
    :raises Halted: where too many events are set aside already
    """
    # Looking costs no lock and no commit, and there is mostly nothing.
    if position(consumer) >= log.head():
        return 0
    try:
        return _take(consumer, AT_ONCE)
    except Exception as error:
        if isinstance(error, TRANSIENT):
            raise
        logger.warning("Consumer %s failed on a batch; each event is tried alone", consumer.name, exc_info=True)
        return _take_singly(consumer)


def deliver(consumer: Consumer, events: Sequence[Event]) -> None:
    """
    Have the effects of events that came from elsewhere than the log, each once, in the transaction open now.

    :raises Halted: while a rebuild has not caught up: it forgot the earlier ones, which come first
    """
    cursor = locked(consumer)
    if cursor.position < cursor.rebuilding_to:
        raise Halted(f"{consumer.name} is being rebuilt: replay it up to {cursor.rebuilding_to} first")
    _deliver(consumer, events)


def _deliver(consumer: Consumer, events: Sequence[Event]) -> None:
    # Kafka may bring the same event twice at once.
    once = {event.position: event for event in events}.values()
    wanted = [event for event in once if not consumer.types or event.type in consumer.types]
    fresh = unprocessed(consumer, wanted)
    waiting, free = _behind_parked(consumer, fresh)
    if free:
        mark(consumer, free)
        consumer.apply(free)
    for event in waiting:
        _park(consumer, event, error="", tries=0)


def position(consumer: Consumer) -> int:
    """Return up to where the consumer has read the log."""
    found = Cursor.objects.filter(name=consumer.name).values_list("position", flat=True).first()
    return found or 0


def replay(consumer: Consumer, *, after: int) -> None:
    """
    Set the cursor back: events are taken again, and those whose effect was had have none again.

    A cursor that is behind ``after`` stays: what it has not read is not passed over.
    """
    with atomic():
        locked(consumer)
        Cursor.objects.filter(name=consumer.name).update(position=Least(F("position"), after))


def rebuild(consumer: Consumer) -> int:
    """
    Take all of a consumer's effects back and begin anew from the first event.

    Returns up to where it has to read the log to be where it was.
    """
    with atomic():
        locked(consumer)
        with connection.cursor() as cursor:
            # There is a mark for each event that it ever had.
            cursor.execute("SET LOCAL statement_timeout = 0")
        end = log.head()
        consumer.reset()
        ProcessedEvent.objects.filter(consumer=consumer.name).delete()
        ParkedEvent.objects.filter(consumer=consumer.name).delete()
        Cursor.objects.filter(name=consumer.name).update(position=0, rebuilding_to=end)
    return end


def _take(consumer: Consumer, limit: int) -> int:
    with atomic():
        cursor = locked(consumer)
        events = log.read(after=cursor.position, limit=limit)
        if not events:
            return 0
        _deliver(consumer, events)
        cursor.position = events[-1].position
        cursor.save()
        fail_point("consumer.applied")
    fail_point("consumer.committed")
    return len(events)


def _take_singly(consumer: Consumer) -> int:
    """Take the next events one by one, up to the one that had to be set aside; return how many there were."""
    done = 0
    for event in log.read(after=position(consumer), limit=AT_ONCE):
        done += 1
        if not _take_one(consumer, event):
            break
    return done


def _take_one(consumer: Consumer, event: Event) -> bool:
    """Take an event alone; after some tries set it aside, so that the others go on. Returns whether it went well."""

    def take(aside: Exception | None) -> None:
        cursor = locked(consumer)
        # Elsewhere it got past this one meanwhile: what comes next has not failed.
        if cursor.position != event.position - 1:
            return
        _deliver_or_park(consumer, event, aside, _deliver)
        cursor.position = event.position
        cursor.save()

    return _some_tries(consumer, take)


def deliver_alone(consumer: Consumer, event: Event) -> None:
    """Have one event's effect, in a transaction of its own; after some tries set it aside."""
    _some_tries(consumer, lambda aside: _deliver_or_park(consumer, event, aside, deliver))


def _some_tries(consumer: Consumer, take: Callable[[Exception | None], None]) -> bool:
    """
    Do it in a transaction; where it fails ``TRIES`` times, do it with the error, to set the event aside.

    Returns whether it went well.
    """
    failed: Exception | None = None
    for number in range(TRIES):
        time.sleep(PAUSE_SECONDS * number)
        try:
            with atomic():
                take(None)
            return True
        except Exception as error:
            if isinstance(error, TRANSIENT):
                raise
            failed = error
    if ParkedEvent.objects.filter(consumer=consumer.name).exclude(error="").count() >= MOST_PARKED:
        raise Halted(f"{consumer.name} set {MOST_PARKED} events aside: mend it, then consume --retry") from failed
    with atomic():
        take(failed)
    return False


def _deliver_or_park(
    consumer: Consumer, event: Event, aside: Exception | None, how: Callable[[Consumer, Sequence[Event]], None]
) -> None:
    if aside is None:
        how(consumer, [event])
        return
    locked(consumer)
    known = ParkedEvent.objects.filter(consumer=consumer.name, position=event.position)
    if known.exists() or not unprocessed(consumer, [event]):
        return
    logger.error("Consumer %s set event %s aside: %s", consumer.name, event.position, told(aside))
    _park(consumer, event, error=told(aside), tries=TRIES)


def locked(consumer: Consumer) -> Cursor:
    """Return the consumer's cursor; nobody else moves it in this transaction."""
    cursors = Cursor.objects.select_for_update().filter(name=consumer.name)
    if found := cursors.first():
        return found
    Cursor.objects.bulk_create([Cursor(name=consumer.name)], ignore_conflicts=True)
    return cursors.get()


def unprocessed(consumer: Consumer, events: Sequence[Event]) -> list[Event]:
    positions = [event.position for event in events]
    had = set(
        ProcessedEvent.objects.filter(consumer=consumer.name, position__in=positions).values_list("position", flat=True)
    )
    return [event for event in events if event.position not in had]


def mark(consumer: Consumer, events: Sequence[Event]) -> None:
    """Mark events as processed. Somebody who does the same at this moment makes it fail, and be tried again."""
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [consumer.name, [event.position for event in events]])
        if cursor.rowcount != len(events):
            raise OperationalError(f"{consumer.name} runs elsewhere, too")


def _behind_parked(consumer: Consumer, events: Sequence[Event]) -> tuple[list[Event], list[Event]]:
    """Divide events into those that must wait for a parked one, and the others; parked ones are in neither."""
    parked = list(ParkedEvent.objects.filter(consumer=consumer.name).values_list("position", "keys"))
    if not parked:
        return [], list(events)
    positions = {position for position, _ in parked}
    held: set[UUID] = {key for _, keys in parked for key in keys}
    waiting: list[Event] = []
    free: list[Event] = []
    for event in events:
        if event.position in positions:
            continue
        keys = consumer.keys(event)
        if held.isdisjoint(keys):
            free.append(event)
        else:
            waiting.append(event)
            held.update(keys)
    return waiting, free


def _park(consumer: Consumer, event: Event, *, error: str, tries: int) -> None:
    ParkedEvent.objects.create(
        consumer=consumer.name, position=event.position, keys=consumer.keys(event), error=error, tries=tries,
        parked_at=timezone.now(),
    )  # fmt: skip


def told(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}"[:2000].replace("\0", "")
