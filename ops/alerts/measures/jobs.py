"""Rules about jobs: those that were given up, and how long others wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection

from ledger.ids import lowest_id
from ops.alerts.models import AlertConfiguration
from ops.alerts.reading import Point, Reading, counted, span_of, window_words
from ops.alerts.sliding import BUCKET, slid, steps_of
from ops.jobs.models import Job
from ops.jobs.registry import JOBS, QUEUES

# A job is given up at most so long after it was made.
LONGEST_TRIED = timedelta(days=7)
_DEAD = f"""
    SELECT {BUCKET.format("finished_at")}, count(*) FROM jobs
     WHERE state = 'DEAD' AND id >= %s AND finished_at >= %s AND finished_at < %s GROUP BY 1
"""


def job_failures(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Jobs that were given up in the window and are still dead."""
    since, until = span_of(rule, now)
    dead = Job.objects.filter(
        state=Job.State.DEAD, pk__gte=lowest_id(since - LONGEST_TRIED), finished_at__gte=since, finished_at__lt=until
    )
    many, latest = dead.count(), dead.order_by("-id").first()
    detail = ""
    if latest:
        name = JOBS[latest.name].title if latest.name in JOBS else latest.name
        detail = f"{counted(many, 'job')} given up {window_words(rule, now)}. The latest: {name}: {latest.error}"
    about = ("job", str(latest.pk)) if latest else ("", "")
    return [Reading(Decimal(many), f"{counted(many, 'job')} given up", detail, about=about)]


def job_lag(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """For how many seconds the job that is due longest waits for a worker, in each queue."""
    found = []
    for queue in QUEUES:
        waiting = Job.objects.filter(queue=queue, state__in=Job.OPEN, due_at__lte=now).order_by("due_at", "id")
        longest = waiting.filter(state=Job.State.WAITING).first()
        value = Decimal(int((now - longest.due_at).total_seconds())) if longest else Decimal(0)
        detail = f"It was due at {longest.due_at:%Y-%m-%d %H:%M:%S} UTC." if longest else ""
        about = ("job", str(longest.pk)) if longest else ("", "")
        found.append(Reading(value, f"A job of the queue {queue} waits for {value} s", detail, queue, about=about))
    return found


def job_failures_history(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    steps = steps_of(rule)
    first = since - timedelta(minutes=5 * (steps + 1))
    with connection.cursor() as cursor:
        cursor.execute(_DEAD, [lowest_id(first - LONGEST_TRIED), first, until])
        counts = {at: (many,) for at, many in cursor.fetchall()}
    return {"": [Point(at, Decimal(many)) for at, (many,) in slid(counts, steps, since, until, 1).items()]}
