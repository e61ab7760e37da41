"""What people do about a job: have it tried now, or discard it. With a reason, and an entry in the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.transaction import atomic

from ledger import clock
from ops.approvals.refusing import Refused
from ops.jobs.models import Job
from ops.jobs.waking import ring
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record

# Those that somebody may still do something about.
ACTED_ON = (Job.State.WAITING, Job.State.DEAD)


@atomic(durable=True)
def retry(*, actor: Actor, job_id: UUID, reason: str) -> Job:
    """
    Have a job tried as soon as a worker is free; one that was dead begins to count its tries anew.

    :raises Refused: ``not_found``, ``not_open``
    """
    job, now = _open(job_id), clock.now()
    before = _shown(job)
    if job.state == Job.State.DEAD:
        job.state, job.tries, job.finished_at = Job.State.WAITING, 0, None
    job.due_at = now
    job.save(update_fields=["state", "tries", "finished_at", "due_at"])
    _tell(actor, job, "retry", before, reason)
    transaction.on_commit(lambda: ring(job.queue), robust=True)
    return job


@atomic(durable=True)
def discard(*, actor: Actor, job_id: UUID, reason: str) -> Job:
    """
    Give a job up: it is never tried again, and stays on record.

    :raises Refused: ``not_found``, ``not_open``
    """
    job = _open(job_id)
    before = _shown(job)
    job.state, job.finished_at = Job.State.DISCARDED, clock.now()
    job.save(update_fields=["state", "finished_at"])
    _tell(actor, job, "discard", before, reason)
    return job


def _open(job_id: UUID) -> Job:
    job = Job.objects.select_for_update().filter(pk=job_id).first()
    if job is None:
        raise Refused("not_found", "There is no such job.")
    if job.state not in ACTED_ON:
        raise Refused("not_open", f"The job is {job.get_state_display().lower()} by now.")
    return job


def _shown(job: Job) -> dict[str, Any]:
    return {"name": job.name, "state": job.state, "tries": job.tries, "error": job.error}


def _tell(actor: Actor, job: Job, act: str, before: Mapping[str, Any], reason: str) -> None:
    record(
        actor=actor, action=f"job.{act}", object_type="job", object_id=job.pk, before=before, after=_shown(job),
        reason=reason,
    )  # fmt: skip
