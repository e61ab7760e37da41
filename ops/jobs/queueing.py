"""Ask for a job: a row in the transaction of what it is about, and a ring for a worker once that is committed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from ledger import clock
from ledger.ids import EPOCH, id_maker
from ops.jobs.models import Job
from ops.jobs.registry import JOBS
from ops.jobs.waking import ring
from walletplatform.observability.request_id import current_request_id


def enqueue(name: str, payload: dict[str, Any], *, slot: str = "", due_at: datetime | None = None) -> Job | None:
    """
    Have a job done, not before ``due_at``; in the caller's transaction, so that without it there is no job.

    None where its slot has one already. Whether a worker can be woken now is of no matter: the sweep finds the row.

    :raises KeyError: where nothing is registered under ``name``
    """
    now, handler = clock.now(), JOBS[name]
    job = Job(
        id=id_maker(at=now)(), name=name, queue=handler.queue, slot=slot, payload=payload, created_at=now,
        due_at=due_at or now, request_id=current_request_id(),
    )  # fmt: skip
    Job.objects.bulk_create([job], ignore_conflicts=bool(slot))
    if slot and not Job.objects.filter(pk=job.pk).exists():
        return None
    transaction.on_commit(lambda: ring(handler.queue), robust=True)
    return job


def enqueue_slot(name: str, *, every: timedelta) -> Job | None:
    """Have a scheduled job done once for each ``every``, however many schedulers ask for it."""
    return enqueue(name, {}, slot=slot_at(clock.now(), every))


def slot_at(moment: datetime, every: timedelta) -> str:
    """Return the slot of a moment: when it began, counted in ``every`` from the epoch, in UTC."""
    began = EPOCH + (moment - EPOCH) // every * every
    return began.strftime("%Y-%m-%dT%H:%M:%SZ")
