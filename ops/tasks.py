"""Scheduled housekeeping. A task only wakes what a command can do as well."""

import logging

from celery import shared_task
from django.core.management import call_command

from ledger.verification import verify
from ops.approvals import executing
from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.runs import ask_for_slot, execute_waiting
from ops.verification import event_checks

logger = logging.getLogger(__name__)
MOST_LOGGED = 20


@shared_task
def clear_expired_sessions() -> None:
    call_command("clearsessions")


@shared_task
def sweep_approvals() -> None:
    """Carry out what was approved and cut short; end what nobody decided about in time."""
    executing.sweep()
    executing.expire()


@shared_task
def verify_events() -> None:
    """Its findings are errors in the log of the worker."""
    found = [finding for _, findings in verify(event_checks()) for finding in findings]
    for finding in found[:MOST_LOGGED]:
        logger.error("%s %s: %s (%s)", finding.check.promise, finding.subject, finding.detail, finding.check.name)
    if found:
        raise RuntimeError(f"Events and ledger differ in {len(found)} places: manage.py verify_events shows them")


@shared_task
def reconcile_hourly() -> None:
    """Compare what is new since the last run; once for each hour, however often it is called."""
    ask_for_slot(ReconciliationRun.Kind.INCREMENTAL)
    execute_waiting()


@shared_task
def reconcile_nightly() -> None:
    """Compare everything; once for each day."""
    ask_for_slot(ReconciliationRun.Kind.FULL)
    execute_waiting()


@shared_task
def reconcile_waiting() -> None:
    """Execute the runs that somebody asked for."""
    execute_waiting()


def wake_reconciliation() -> None:
    """Have a worker execute what was asked for; at once or not at all, for somebody waits for the answer."""
    reconcile_waiting.apply_async(retry=False)
