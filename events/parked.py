"""
What is done about events that a consumer set aside: try them again, or go on without them for good.

Later events of the same payment or wallet wait behind one that was set aside, in their order.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import F, QuerySet
from django.db.transaction import atomic

from events.consumers import CONSUMERS, Consumer
from events.consuming import TRANSIENT, locked, mark, told, unprocessed
from events.models import Event, ParkedEvent
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record


def retry(consumer: Consumer) -> int:
    """Try the parked events again, in their order; return how many went through. What fails stays, with its error."""
    done = passed = 0
    while True:
        for parked in ParkedEvent.objects.filter(consumer=consumer.name).order_by("position"):
            passed += retry_one(consumer, parked.position)
        if not passed:
            return done
        # Others may have come to wait for these meanwhile.
        done, passed = done + passed, 0


def retry_one(consumer: Consumer, position: int) -> bool:
    """Try a parked event that waits for no earlier one; return whether it went through."""
    event = Event.objects.get(position=position)
    try:
        with atomic():
            locked(consumer)
            if before_it(consumer, event).exists():
                return False
            if not _taken(consumer, position):
                # A rebuild will come to it, after those before it.
                return False
            if unprocessed(consumer, [event]):
                mark(consumer, [event])
                consumer.apply([event])
            return True
    except Exception as error:
        if isinstance(error, TRANSIENT):
            raise
        ParkedEvent.objects.filter(consumer=consumer.name, position=position).update(
            error=told(error), tries=F("tries") + 1
        )
        return False


def before_it(consumer: Consumer, event: Event) -> QuerySet[ParkedEvent]:
    """Return the earlier ones set aside that an event must wait for."""
    earlier = ParkedEvent.objects.filter(consumer=consumer.name, position__lt=event.position)
    return earlier.filter(keys__overlap=consumer.keys(event))


def act(*, actor: Actor, parked_id: int, discard: bool, reason: str, then: Callable[[str], object]) -> bool:
    """
    Try an event that was set aside once more, or ``discard`` it; return whether it is aside no longer.

    Discarded, its effect is never had by this consumer, unless that is rebuilt from the first event on. ``then`` is
    called with the consumer's name, in the same transaction, where those behind the event may go on.

    :raises Problem: ``not_found``, ``invalid_state`` where it waits for an earlier one
    """
    with atomic(durable=True):
        parked = ParkedEvent.objects.filter(pk=parked_id).first()
        consumer = CONSUMERS.get(parked.consumer) if parked else None
        if parked is None or consumer is None:
            raise Problem("not_found", "It is not aside any more.")
        event = Event.objects.get(position=parked.position)
        if before_it(consumer, event).exists():
            raise Problem("invalid_state", "It waits for an earlier one: see to that first.")
        gone = _discard(consumer, event) if discard else retry_one(consumer, event.position)
        if gone:
            then(consumer.name)
        record(
            actor=actor, action="event.discard" if discard else "event.retry", object_type="event",
            object_id=event.event_id, reason=reason,
            before={"consumer": consumer.name, "position": parked.position, "error": parked.error},
            after=None if gone else {"error": ParkedEvent.objects.get(pk=parked_id).error},
        )  # fmt: skip
        return gone


def _discard(consumer: Consumer, event: Event) -> bool:
    locked(consumer)
    if not _taken(consumer, event.position):
        raise Problem("not_found", "It is not aside any more.")
    if unprocessed(consumer, [event]):
        mark(consumer, [event])
    return True


def _taken(consumer: Consumer, position: int) -> bool:
    """Take an event from those aside; whether it was there."""
    return bool(ParkedEvent.objects.filter(consumer=consumer.name, position=position).delete()[0])
