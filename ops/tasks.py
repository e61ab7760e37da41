"""Scheduled housekeeping. A task only wakes what a command can do as well."""

from datetime import timedelta

from celery import shared_task

# Without it the tasks would belong to no broker where nothing else has made the application, as in the web.
import walletplatform.celery  # noqa: F401
from ops.approvals import executing
from ops.jobs import dead_letters
from ops.jobs.executing import work_off
from ops.jobs.queueing import enqueue_slot
from ops.jobs.sweeping import wake
from ops.jobs.waking import ring, tell
from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.runs import ask_for_slot, execute_waiting
from ops.statements.handling import settle_corrections

# A worker takes jobs for so long before it looks at its other messages.
JOBS_SECONDS = 30
# A comparison of everything takes what it takes.
LONG_SECONDS = 4 * 60 * 60


@shared_task
def run_jobs(queue: str) -> None:
    """Do a queue's due jobs; where there were any, there may be more."""
    if work_off(queue, seconds=JOBS_SECONDS):
        ring(queue)


@shared_task
def sweep_jobs() -> None:
    """Wake workers for jobs that nobody was woken for, and put on record what the broker has given up."""
    wake()
    dead_letters.collect()


@shared_task
def ask_for(name: str, minutes: int) -> None:
    """Have a scheduled job done: once in so many minutes, however often it is called."""
    enqueue_slot(name, every=timedelta(minutes=minutes))


@shared_task
def sweep_approvals() -> None:
    """Carry out what was approved and cut short; end what nobody decided about in time."""
    executing.sweep()
    executing.expire()
    settle_corrections()


@shared_task(soft_time_limit=LONG_SECONDS, time_limit=LONG_SECONDS + 30)
def reconcile_hourly() -> None:
    """Compare what is new since the last run; once for each hour, however often it is called."""
    ask_for_slot(ReconciliationRun.Kind.INCREMENTAL)
    execute_waiting()


@shared_task(soft_time_limit=LONG_SECONDS, time_limit=LONG_SECONDS + 30)
def reconcile_nightly() -> None:
    """Compare everything; once for each day."""
    ask_for_slot(ReconciliationRun.Kind.FULL)
    execute_waiting()


@shared_task(soft_time_limit=LONG_SECONDS, time_limit=LONG_SECONDS + 30)
def reconcile_waiting() -> None:
    """Execute the runs that somebody asked for."""
    execute_waiting()


def wake_reconciliation() -> None:
    """Have a worker execute what was asked for; what nobody hears is left to the next tick."""
    tell("ops.tasks.reconcile_waiting", [], "default")
