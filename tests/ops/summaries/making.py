"""Summaries of what has just happened, once it is counted."""

from __future__ import annotations

from datetime import timedelta

from events import consuming
from events.consumers import CONSUMERS
from events.sequencer import sequence
from ledger import clock
from ledger.ids import id_maker
from ops.jobs.executing import work_off
from ops.models import Summary
from ops.summaries.facts import Facts
from ops.summaries.windows import Window
from ops.summaries.writing import write


def new_id():
    return id_maker(at=clock.now())()


def count():
    while sequence():
        pass
    for consumer in CONSUMERS.values():
        while consuming.consume(consumer):
            pass


def this_hour():
    """From the last whole hour to now, in whole minutes, the running one included: figures are of whole minutes."""
    now = clock.now()
    return Window(now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=1), _next_minute(now))


def _next_minute(now):
    return now.replace(second=0, microsecond=0) + timedelta(minutes=1)


def today():
    begins = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(begins, begins + timedelta(days=1))


def waiting(window=None, *, code=""):
    """A summary that waits to be written, of what has just happened."""
    window = window or this_hour()
    now = clock.now()
    return Summary.objects.create(
        id=new_id(), kind="incident" if code else "window", begins_at=window.begins_at, ends_at=window.ends_at,
        code=code, created_at=now,
    )  # fmt: skip


def written(**of):
    return write(waiting(**of).id)


def refreshed(summary):
    return Summary.objects.get(id=summary.id)


def facts_of(summary):
    return Facts.read(summary.facts, summary.names)


def work_off_all(queue):
    while work_off(queue, seconds=5):
        pass
