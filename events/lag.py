"""How far everybody who lives on events is behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import Error, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Counting further would cost more than it tells.
MOST_COUNTED = 100_000

_OUTBOX = f"""
    SELECT (SELECT count(*) FROM (SELECT FROM outbox_events LIMIT {MOST_COUNTED}) AS waiting),
           coalesce((SELECT extract(epoch FROM clock_timestamp() - time) FROM outbox_events ORDER BY id LIMIT 1), 0),
           coalesce((SELECT max(position) FROM events), 0)
"""
_READERS = f"""
    SELECT c.name, c.position, (SELECT count(*) FROM (
               SELECT FROM parked_events p WHERE p.consumer = c.name LIMIT {MOST_COUNTED}) AS parked)
      FROM event_cursors c ORDER BY c.name
"""
# Over all endpoints: what is pending and since when, what was given up, and who fails. By index, each.
_WEBHOOKS = f"""
    SELECT (SELECT count(*) FROM (SELECT FROM webhook_deliveries WHERE state = 'PENDING' LIMIT {MOST_COUNTED}) AS p),
           (SELECT count(*) FROM (
               SELECT FROM webhook_endpoints e CROSS JOIN LATERAL (
                      SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'DEAD'
                       LIMIT {MOST_COUNTED}) AS dead LIMIT {MOST_COUNTED}) AS given_up),
           (SELECT count(*) FROM webhook_endpoints WHERE enabled AND failures > 0)
"""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Deliveries that wait or were given up (100,000 at most), and endpoints whose last attempt failed."""

    pending: int
    given_up: int
    failing: int


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader of the log: events behind its end, and events set aside."""

    name: str
    position: int
    behind: int
    parked: int


@dataclass(frozen=True, slots=True)
class Lag:
    """``waiting`` facts in the outbox (100,000 at most), the oldest for ``waiting_seconds``; ``end`` of the log."""

    waiting: int
    waiting_seconds: float
    end: int
    readers: list[Reader]


def lag() -> Lag:
    """Return who is behind by how much; in two small queries, whatever has happened."""
    with connection.cursor() as cursor:
        # Readers first: the log's end, read later, is never before what they have read.
        cursor.execute(_READERS)
        rows = cursor.fetchall()
        cursor.execute(_OUTBOX)
        waiting, seconds, end = cursor.fetchone()
    readers = [Reader(name, position, end - position, parked) for name, position, parked in rows]
    return Lag(waiting, max(float(seconds), 0.0), end, readers)


def webhooks() -> Webhooks:
    """Return how deliveries stand."""
    with connection.cursor() as cursor:
        cursor.execute(_WEBHOOKS)
        return Webhooks(*cursor.fetchone())


class LagCollector(Collector):
    """The same as metrics, read as they are asked for; nothing where the database cannot be reached."""

    def collect(self) -> Iterator[Metric]:
        try:
            now, sent = lag(), webhooks()
        except Error:
            return
        yield GaugeMetricFamily("wallet_outbox_waiting", "Facts that are not in the log yet.", now.waiting)
        yield GaugeMetricFamily("wallet_outbox_seconds", "Since when the oldest of them waits.", now.waiting_seconds)
        yield GaugeMetricFamily("wallet_log_position", "The log's last position.", now.end)
        behind = GaugeMetricFamily("wallet_log_behind", "Events that a reader has yet to read.", labels=["reader"])
        parked = GaugeMetricFamily("wallet_log_parked", "Events that a reader set aside.", labels=["reader"])
        for reader in now.readers:
            behind.add_metric([reader.name], reader.behind)
            parked.add_metric([reader.name], reader.parked)
        yield behind
        yield parked
        yield GaugeMetricFamily("wallet_webhooks_pending", "Deliveries that were not taken yet.", sent.pending)
        yield GaugeMetricFamily("wallet_webhooks_dead", "Deliveries that were given up.", sent.given_up)
        yield GaugeMetricFamily("wallet_webhooks_failing", "Endpoints whose last attempt failed.", sent.failing)
