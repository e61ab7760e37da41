"""
Which deliveries are tried next, and what becomes of each after a try.

Every endpoint has places of its own: a few where it answers, one where it does not, or has not yet. After
some failures it is spared for a while. So a receiver that is down, or slow, delays its own alone. Somebody
who took a delivery and died has it taken from him after ``CLAIM_SECONDS``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.transaction import atomic

from events.models import Event, WebhookAttempt, WebhookDelivery, WebhookEndpoint

# After the first try: over three days in all.
SCHEDULE = tuple(
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1800, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
)
LONGEST_WISH = timedelta(hours=24)
CLAIM_SECONDS = 45
PLACES = 8
# Those that fail share so many places; those that answer are not kept waiting by them.
MOST_OF_FAILING = 1000
MOST = 4000
SPARED_AFTER = 3
SPARED_SECONDS = 5.0
LONGEST_SPARED = 600.0
GIVEN_UP_AT_ONCE = 1000

_CLAIM = """
    WITH free AS (
        SELECT e.id, CASE WHEN e.failures = 0 AND e.succeeded_at IS NOT NULL THEN %(places)s ELSE 1 END
                     - coalesce(b.taken, 0) AS places
          FROM webhook_endpoints e
          LEFT JOIN unnest(%(busy)s::uuid[], %(taken)s::int[]) AS b (id, taken) ON b.id = e.id
         WHERE e.enabled AND (e.paused_until IS NULL OR e.paused_until <= clock_timestamp())
           AND (e.failures > 0) = %(failing)s
         ORDER BY e.paused_until NULLS FIRST),
    due AS (
        SELECT d.id FROM free CROSS JOIN LATERAL (
               SELECT d.id FROM webhook_deliveries d
                WHERE d.endpoint_id = free.id AND d.state = 'PENDING' AND d.due_at <= clock_timestamp()
                  AND (d.claimed_until IS NULL OR d.claimed_until <= clock_timestamp())
                ORDER BY d.due_at LIMIT greatest(free.places, 0) FOR UPDATE SKIP LOCKED) AS d
         LIMIT %(most)s)
    UPDATE webhook_deliveries d SET claimed_until = clock_timestamp() + make_interval(secs => %(seconds)s)
      FROM due WHERE d.id = due.id
    RETURNING d.id
"""
_GIVE_UP = """
    UPDATE webhook_deliveries SET state = 'DEAD', finished_at = clock_timestamp()
     WHERE id IN (SELECT id FROM webhook_deliveries
                   WHERE state = 'PENDING' AND give_up_at <= clock_timestamp() ORDER BY give_up_at LIMIT %s)
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A delivery that was taken to be tried: to whom, and what; ``event`` None for a test."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint
    event: Event | None


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a task: an HTTP ``status`` or an ``error``. ``wish`` is the receiver's Retry-After."""

    task: Task
    started_at: datetime
    milliseconds: int
    status: int | None = None
    error: str = ""
    answer: str = ""
    wish: timedelta | None = None

    @property
    def was_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@atomic
def take(busy: Mapping[UUID, int], *, failing: bool, most: int) -> list[Task]:
    """Take deliveries that are due, of endpoints that answer or of those that are ``failing``."""
    if most <= 0:
        return []
    asked: dict[str, Any] = {
        "places": PLACES, "busy": list(busy), "taken": list(busy.values()), "failing": failing, "most": most,
        "seconds": CLAIM_SECONDS,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, asked)
        ids = [delivery_id for (delivery_id,) in cursor.fetchall()]
    if not ids:
        return []
    deliveries = list(WebhookDelivery.objects.filter(pk__in=ids).select_related("endpoint").order_by("due_at"))
    events = Event.objects.in_bulk([delivery.position for delivery in deliveries if delivery.position is not None])
    return [Task(one, one.endpoint, events.get(one.position or 0)) for one in deliveries]


@atomic
def record(tries: Sequence[Tried], now: datetime) -> None:
    """Write what came of tries. One of a delivery that somebody else has tried meanwhile is left out."""
    # In one order, so that two that record at once wait in line.
    endpoints = WebhookEndpoint.objects.filter(pk__in={tried.task.endpoint.pk for tried in tries})
    locked = {endpoint.pk: endpoint for endpoint in endpoints.order_by("pk").select_for_update()}
    for tried in sorted(tries, key=lambda tried: tried.task.delivery.pk):
        if _record_delivery(tried, now):
            _record_endpoint(locked[tried.task.endpoint.pk], tried, now)
    for endpoint in locked.values():
        endpoint.save(update_fields=["enabled", "disabled_reason", "failures", "paused_until", "succeeded_at"])


def give_up_old() -> None:
    """End deliveries whose time is over though not all of their tries were had, as their endpoint was spared."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, [GIVEN_UP_AT_ONCE])


def _record_delivery(tried: Tried, now: datetime) -> bool:
    delivery = tried.task.delivery
    number = delivery.attempts + 1
    untouched = WebhookDelivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts)
    if tried.was_taken:
        changed = untouched.update(state="DELIVERED", attempts=number, claimed_until=None, finished_at=now)
    elif (after := number - delivery.counted_from - 1) < len(SCHEDULE):
        due_at = now + max(SCHEDULE[after], min(tried.wish or timedelta(0), LONGEST_WISH))
        changed = untouched.update(attempts=number, claimed_until=None, due_at=due_at)
    else:
        changed = untouched.update(state="DEAD", attempts=number, claimed_until=None, finished_at=now)
    if changed:
        WebhookAttempt.objects.create(
            delivery=delivery, number=number, started_at=tried.started_at, milliseconds=tried.milliseconds,
            status=tried.status, error=tried.error[:200], answer=tried.answer[:1000],
        )  # fmt: skip
    return bool(changed)


def _record_endpoint(endpoint: WebhookEndpoint, tried: Tried, now: datetime) -> None:
    if tried.was_taken:
        endpoint.failures, endpoint.paused_until, endpoint.succeeded_at = 0, None, now
        return
    endpoint.failures += 1
    if tried.status == 410:
        endpoint.enabled, endpoint.disabled_reason = False, "It answered 410 Gone."
    over = endpoint.failures - SPARED_AFTER
    if over >= 0:
        seconds = min(SPARED_SECONDS * 2 ** min(over, 20), LONGEST_SPARED)
        endpoint.paused_until = now + timedelta(seconds=seconds)
