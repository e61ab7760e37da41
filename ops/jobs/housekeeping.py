"""Scheduled housekeeping, each a job of its slot."""

from __future__ import annotations

import logging

from django.core.management import call_command

from events import parked
from events.consumers import CONSUMERS
from ledger.verification import verify
from ops.jobs.registry import Payload, job
from ops.verification import event_checks

logger = logging.getLogger(__name__)
MOST_LOGGED = 20


@job("sessions.clear", queue="jobs", title="Clear away sessions that have ended")
def clear_expired_sessions(payload: Payload) -> None:
    call_command("clearsessions")


# It reads in a snapshot, which is a transaction of its own.
@job("events.verify", queue="jobs", tries=3, outside=True, title="Compare events with the ledger")
def verify_events(payload: Payload) -> None:
    """Its findings are errors in the log of the worker."""
    found = [finding for _, findings in verify(event_checks()) for finding in findings]
    for finding in found[:MOST_LOGGED]:
        logger.error("%s %s: %s (%s)", finding.check.promise, finding.subject, finding.detail, finding.check.name)
    if found:
        raise RuntimeError(f"Events and ledger differ in {len(found)} places: manage.py verify_events shows them")


# Each event in a transaction of its own, in which it is had once.
@job("parked.retry", queue="jobs", outside=True, title="Take up events that waited behind one set aside")
def retry_parked(payload: Payload) -> None:
    parked.retry(CONSUMERS[payload["consumer"]])
