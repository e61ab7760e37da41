"""How many jobs wait and how many were set aside, by queue: for the console and as metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db import Error, connection
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ops.jobs.registry import QUEUES

# Counting further would cost more than it tells.
MOST_COUNTED = 10_000
_COUNTS = f"""
    SELECT q.name,
           (SELECT count(*) FROM (SELECT FROM jobs j WHERE j.queue = q.name AND j.state IN ('WAITING', 'RUNNING')
                                   AND j.due_at <= ledger_now() LIMIT {MOST_COUNTED}) AS due),
           coalesce((SELECT extract(epoch FROM ledger_now() - j.due_at) FROM jobs j
                      WHERE j.queue = q.name AND j.state IN ('WAITING', 'RUNNING') AND j.due_at <= ledger_now()
                      ORDER BY j.due_at LIMIT 1), 0),
           (SELECT count(*) FROM (SELECT FROM jobs j WHERE j.state = 'DEAD' AND j.queue = q.name
                                   LIMIT {MOST_COUNTED}) AS dead)
      FROM unnest(%s::text[]) WITH ORDINALITY AS q (name, place) ORDER BY q.place
"""


@dataclass(frozen=True, slots=True)
class Count:
    """``due``: to be done by now, the longest for ``seconds``; ``dead``: given up (10,000 of each at most)."""

    queue: str
    due: int
    seconds: float
    dead: int


def counts() -> list[Count]:
    """Return how each queue stands; in one query, by index."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [list(QUEUES)])
        return [Count(queue, due, float(seconds), dead) for queue, due, seconds, dead in cursor.fetchall()]


class JobsCollector(Collector):
    """The same as metrics, read as they are asked for; nothing where the database cannot be reached."""

    def collect(self) -> Iterator[Metric]:
        try:
            found = counts()
        except Error:
            return
        due = GaugeMetricFamily("wallet_jobs_due", "Jobs to be done by now.", labels=["queue"])
        seconds = GaugeMetricFamily("wallet_jobs_seconds", "Since when the oldest of them is due.", labels=["queue"])
        dead = GaugeMetricFamily("wallet_jobs_dead", "Jobs that were given up.", labels=["queue"])
        for count in found:
            due.add_metric([count.queue], count.due)
            seconds.add_metric([count.queue], count.seconds)
            dead.add_metric([count.queue], count.dead)
        yield from (due, seconds, dead)
