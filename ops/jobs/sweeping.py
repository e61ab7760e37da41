"""What nobody else does for jobs: wake workers for what nobody was woken for, and clear away what is long done."""

from __future__ import annotations

from datetime import timedelta

from ledger import clock
from ops.jobs.models import Job
from ops.jobs.registry import QUEUES, Payload, job
from ops.jobs.waking import ring

KEPT = timedelta(days=30)
AT_ONCE = 5_000


def wake() -> list[str]:
    """Ring for each queue in which something is due; return those queues."""
    now = clock.now()
    due = [q for q in QUEUES if Job.objects.filter(queue=q, state__in=Job.OPEN, due_at__lte=now).exists()]
    for queue in due:
        ring(queue)
    return due


@job("jobs.clear", queue="jobs", title="Clear away jobs that were done long ago")
def clear(payload: Payload) -> None:
    old = Job.objects.filter(state__in=[Job.State.DONE, Job.State.DISCARDED], finished_at__lt=clock.now() - KEPT)
    Job.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:AT_ONCE])).delete()
