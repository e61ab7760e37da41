"""Rules about what waits to be told: the outbox, readers of the log, webhooks."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from ledger.ids import lowest_id
from ops.alerts.models import AlertConfiguration
from ops.alerts.reading import Reading, span_of, window_words

# Since when the outbox, and each reader of the log, has something that it did not pass on.
_WAITING = """
    SELECT '', (SELECT time FROM outbox_events ORDER BY id LIMIT 1)
    UNION ALL
    SELECT c.name, (SELECT e.sequenced_at FROM events e WHERE e.position > c.position ORDER BY e.position LIMIT 1)
      FROM event_cursors c ORDER BY 1
"""
_DUE = """
    SELECT e.id, e.url, found.due_at FROM webhook_endpoints e CROSS JOIN LATERAL (
           SELECT d.due_at FROM webhook_deliveries d
            WHERE d.endpoint_id = e.id AND d.state = 'PENDING' AND d.due_at < %(now)s
              AND (d.claimed_until IS NULL OR d.claimed_until < %(now)s)
            ORDER BY d.due_at LIMIT 1) AS found
     WHERE e.enabled AND (e.paused_until IS NULL OR e.paused_until < %(now)s)
     ORDER BY found.due_at LIMIT 1
"""
# A delivery is tried for days before it is given up: younger ones by their id, which tells their time.
_DEAD = """
    SELECT count(*), min(e.url) FROM webhook_endpoints e CROSS JOIN LATERAL (
           SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'DEAD'
              AND d.id >= %(oldest)s AND d.finished_at >= %(since)s LIMIT 10000) AS dead
"""
LONGEST_TRIED = timedelta(days=30)


def outbox_lag(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """For how long the oldest fact waits in the outbox, and the oldest event for each reader."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING)
        found = cursor.fetchall()
    readings = []
    for reader, since in found:
        value = _seconds(since, now)
        if reader:
            title, what = f"The reader {reader} is {value} s behind", f"The oldest event that {reader} has not read"
        else:
            title, what = f"Facts reach the log {value} s late", "The oldest fact in the outbox"
        detail = f"{what} is of {since:%Y-%m-%d %H:%M:%S} UTC." if since else ""
        readings.append(Reading(value, title, detail, f"reader {reader}" if reader else "outbox"))
    return readings


def webhook_lag(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """For how long the delivery that is due longest was not attempted."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": now})
        row = cursor.fetchone()
    endpoint, url, due_at = row or (None, "", None)
    value = _seconds(due_at, now)
    about = ("webhook_endpoint", str(endpoint)) if endpoint else ("", "")
    detail = f"The delivery that is due longest goes to {url}." if endpoint else ""
    return [Reading(value, f"Webhooks are sent {value} s late", detail, about=about)]


def webhook_dead(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Deliveries that were given up in the window."""
    since, _ = span_of(rule, now)
    oldest = lowest_id(since - LONGEST_TRIED)
    with connection.cursor() as cursor:
        cursor.execute(_DEAD, {"since": since, "oldest": oldest})
        many, url = cursor.fetchone()
    detail = f"{many} were given up {window_words(rule, now)}, {url} among their receivers." if many else ""
    plural = "y was" if many == 1 else "ies were"
    return [Reading(Decimal(many), f"{many} deliver{plural} given up", detail)]


def _seconds(since: datetime | None, now: datetime) -> Decimal:
    return Decimal(max(int((now - since).total_seconds()), 0)) if since else Decimal(0)
