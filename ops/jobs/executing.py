"""
Do what waits: claim a job, do it, put on record what became of it.

Each step is a transaction, and its lock is held over all of them. A worker that dies leaves the job RUNNING with a
free lock: whoever comes next puts that on record as a failed try. The number of the try is what tells a worker that
lost its lock, and came back, that somebody else has had the job since.
"""

from __future__ import annotations

import logging
import random
import time
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.db.transaction import atomic

from ledger import clock
from ops.jobs.holding import Locks, locks
from ops.jobs.models import Job
from ops.jobs.registry import JOBS, GiveUp, Handler
from walletplatform.failpoints import fail_point
from walletplatform.observability.request_id import request_id_is

logger = logging.getLogger(__name__)
State = Job.State

FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(hours=1)
MOST_ERRORS = 20
# Of what only a newer version than this worker's may know.
TRIES_UNKNOWN = 5
# More of a queue than are RUNNING elsewhere at any moment.
LOOKED_AT = 100
DIED = "Its worker died at it, or lost the database."


class Overtaken(Exception):
    """Somebody else has had the job meanwhile; nothing of this try stays."""


def work_off(queue: str, *, seconds: float) -> int:
    """
    Do a queue's due jobs, the longest due first, for about so long; return how many were tried.

    One that fails holds up no other: it is due again later.
    """
    done, until = 0, time.monotonic() + seconds
    if not _due(queue):
        return done
    with locks() as held:
        while time.monotonic() < until and _next(queue, held):
            done += 1
    return done


def _next(queue: str, held: Locks) -> bool:
    """Try one job that nobody is at; False where there is none."""
    for job_id in _due(queue):
        with held.hold(job_id) as mine:
            if mine and (job := _claim(job_id)):
                with request_id_is(job.request_id):
                    _do(job)
                return True
    return False


def _due(queue: str) -> list[UUID]:
    due = Job.objects.filter(queue=queue, state__in=Job.OPEN, due_at__lte=clock.now())
    return list(due.order_by("due_at", "id").values_list("pk", flat=True)[:LOOKED_AT])


@atomic(durable=True)
def _claim(job_id: UUID) -> Job | None:
    """Return the job, RUNNING and one try further; None where it is not to be done now."""
    job, now = Job.objects.select_for_update().get(pk=job_id), clock.now()
    if job.state == State.RUNNING:
        # It is not the job's fault, most often: the first time it is tried again at once.
        again = pause(job.tries) if job.tries > 1 else timedelta(0)
        _failed(job, DIED, now, again=None if job.tries >= _tries(job) else again)
    if job.state != State.WAITING or job.due_at > now:
        return None
    job.state, job.tries, job.started_at = State.RUNNING, job.tries + 1, now
    job.save(update_fields=["state", "tries", "started_at"])
    return job


def _do(job: Job) -> None:
    fail_point("job.claimed")
    handler = JOBS.get(job.name)
    try:
        if handler is None:
            raise LookupError(f"This worker does not know how to do {job.name}.")
        _carry_out(handler, job)
    except Overtaken:
        logger.warning("Job %s was done elsewhere meanwhile", job.pk)
    except Exception as error:
        final = isinstance(error, GiveUp) or job.tries >= _tries(job)
        logger.exception("Job %s failed on try %s", job, job.tries)
        _put_down(job, told(error), final=final)


def _carry_out(handler: Handler, job: Job) -> None:
    if handler.outside:
        handler.handle(job.payload)
        fail_point("job.done")
        with atomic(durable=True):
            _finish(job)
        return
    with atomic(durable=True):
        handler.handle(job.payload)
        fail_point("job.done")
        _finish(job)


def _finish(job: Job) -> None:
    """
    Mark it DONE in the transaction that is open.

    :raises Overtaken: where this try is no longer the latest
    """
    found = _this_try(job).update(state=State.DONE, error="", finished_at=clock.now())
    if not found:
        raise Overtaken


@atomic(durable=True)
def _put_down(job: Job, error: str, *, final: bool) -> None:
    found = _this_try(job).select_for_update().first()
    if found:
        _failed(found, error, clock.now(), again=None if final else pause(job.tries))


def _this_try(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, state=State.RUNNING, tries=job.tries)


def _failed(job: Job, error: str, now: datetime, *, again: timedelta | None) -> None:
    """Put a failed try on record: the job WAITS for so long, or is DEAD where it is not to be tried ``again``."""
    job.error = error
    job.errors = [*job.errors, {"try": job.tries, "at": now.isoformat(), "error": error}][-MOST_ERRORS:]
    if again is None:
        job.state, job.finished_at = State.DEAD, now
    else:
        job.state, job.due_at = State.WAITING, now + again
    job.save(update_fields=["error", "errors", "state", "finished_at", "due_at"])


def pause(tries: int) -> timedelta:
    """Return how long to wait after so many tries: three times as long each time, and not all at once."""
    grown: timedelta = min(FIRST_PAUSE * 3 ** min(tries - 1, 9), LONGEST_PAUSE)
    return grown * random.uniform(0.8, 1.2)  # noqa: S311 (spreads load; nobody gains by guessing it)


def told(error: Exception) -> str:
    """Return an error as it is put on record."""
    words = str(error) if isinstance(error, GiveUp) else f"{type(error).__name__}: {error}"
    return words[:500].replace("\0", "")


def _tries(job: Job) -> int:
    handler = JOBS.get(job.name)
    return handler.tries if handler else TRIES_UNKNOWN
