"""
Which deliveries are tried next, and what becomes of each after a try.

An endpoint is proven while its last attempt succeeded. Proven ones have several places each; the others one,
few begin at a time, and after some failures an endpoint is spared for a while. So a receiver that is down, or
slow, delays its own alone. Who took a delivery and died has it taken from him after ``CLAIM_SECONDS``.
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
# Under way at a time: of proven endpoints, of the others, and how many of the others begin at once.
MOST, MOST_UNPROVEN, UNPROVEN_AT_ONCE = 4000, 1000, 100
SPARED_AFTER = 3
SPARED_SECONDS = 5.0
LONGEST_SPARED = 600.0
GIVEN_UP_AT_ONCE = 1000

_CLAIM = """
    WITH free AS (
        SELECT e.id, %(places)s - coalesce(b.taken, 0) AS places, c.assets
          FROM webhook_endpoints e
          LEFT JOIN identity_clients c ON c.id = e.client_id
          LEFT JOIN unnest(%(busy)s::uuid[], %(taken)s::int[]) AS b (id, taken) ON b.id = e.id
         WHERE e.enabled AND (e.paused_until IS NULL OR e.paused_until <= clock_timestamp())
           AND (e.failures = 0 AND e.succeeded_at IS NOT NULL) = %(proven)s
           AND coalesce(b.taken, 0) < %(places)s AND (c.id IS NULL OR c.active)
         ORDER BY e.paused_until NULLS FIRST),
    due AS (
        SELECT d.id FROM free CROSS JOIN LATERAL (
               SELECT d.id FROM webhook_deliveries d
                WHERE d.endpoint_id = free.id AND d.state = 'PENDING' AND d.due_at <= clock_timestamp()
                  AND (d.claimed_until IS NULL OR d.claimed_until <= clock_timestamp())
                  AND (free.assets IS NULL OR d.position IS NULL OR EXISTS (
                       SELECT FROM events v WHERE v.position = d.position AND v.asset = ANY(free.assets)))
                ORDER BY d.due_at LIMIT free.places FOR UPDATE SKIP LOCKED) AS d
         LIMIT %(most)s)
    UPDATE webhook_deliveries d SET claimed_until = clock_timestamp() + make_interval(secs => %(seconds)s)
      FROM due WHERE d.id = due.id
    RETURNING d.id
"""
_RECORD = """
    UPDATE webhook_deliveries d
       SET attempts = n.before + 1, state = n.state, due_at = n.due_at, finished_at = n.finished_at,
           claimed_until = NULL
      FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::timestamptz[], %s::timestamptz[])
           AS n (id, before, state, due_at, finished_at)
     WHERE d.id = n.id AND d.attempts = n.before
    RETURNING d.id
"""
_RECORD_ENDPOINTS = """
    UPDATE webhook_endpoints e
       SET enabled = n.enabled, disabled_reason = n.reason, failures = n.failures, paused_until = n.paused_until,
           succeeded_at = n.succeeded_at
      FROM unnest(%s::uuid[], %s::boolean[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[])
           AS n (id, enabled, reason, failures, paused_until, succeeded_at)
     WHERE e.id = n.id
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
def take(busy: Mapping[UUID, int], *, proven: bool) -> list[Task]:
    """Take deliveries that are due, of proven endpoints or of the others; ``busy`` counts those under way."""
    under_way = sum(busy.values())
    most = MOST - under_way if proven else min(MOST_UNPROVEN - under_way, UNPROVEN_AT_ONCE)
    if most <= 0:
        return []
    asked: dict[str, Any] = {
        # Where many have become slow at once, each gives places up for the others.
        "places": PLACES if proven and under_way < MOST / 2 else 1,
        "busy": list(busy), "taken": list(busy.values()), "proven": proven, "most": most, "seconds": CLAIM_SECONDS,
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
    endpoints = WebhookEndpoint.objects.filter(pk__in={tried.task.endpoint.pk for tried in tries})
    # In one order, so that two that record at once wait in line; new deliveries do not wait for it.
    locked = {endpoint.pk: endpoint for endpoint in endpoints.order_by("pk").select_for_update(no_key=True)}
    rows = sorted(_row(tried, now) for tried in tries)
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [list(column) for column in zip(*rows, strict=True)])
        recorded = {delivery_id for (delivery_id,) in cursor.fetchall()}
    counted = [tried for tried in tries if tried.task.delivery.pk in recorded]
    WebhookAttempt.objects.bulk_create(_attempt(tried) for tried in counted)
    for tried in counted:
        _count(locked[tried.task.endpoint.pk], tried, now)
    states = [(e.pk, e.enabled, e.disabled_reason, e.failures, e.paused_until, e.succeeded_at) for e in locked.values()]
    with connection.cursor() as cursor:
        cursor.execute(_RECORD_ENDPOINTS, [list(column) for column in zip(*states, strict=True)])


def give_up_old() -> None:
    """End deliveries whose time is over though not all of their tries were had, as their endpoint was spared."""
    with connection.cursor() as cursor:
        cursor.execute(_GIVE_UP, [GIVEN_UP_AT_ONCE])


def _row(tried: Tried, now: datetime) -> tuple[Any, ...]:
    """What ``_RECORD`` takes: whose attempt it was, the attempts before, and what the delivery becomes."""
    delivery = tried.task.delivery
    if tried.was_taken:
        return delivery.pk, delivery.attempts, "DELIVERED", now, now
    had = delivery.attempts - delivery.counted_from
    if had >= len(SCHEDULE):
        return delivery.pk, delivery.attempts, "DEAD", now, now
    wish = min(tried.wish or timedelta(0), LONGEST_WISH)
    return delivery.pk, delivery.attempts, "PENDING", now + max(SCHEDULE[had], wish), None


def _attempt(tried: Tried) -> WebhookAttempt:
    return WebhookAttempt(
        delivery=tried.task.delivery, number=tried.task.delivery.attempts + 1, started_at=tried.started_at,
        milliseconds=tried.milliseconds, status=tried.status, error=tried.error[:200], answer=tried.answer[:1000],
    )  # fmt: skip


def _count(endpoint: WebhookEndpoint, tried: Tried, now: datetime) -> None:
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
