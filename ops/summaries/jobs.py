"""What is done for summaries in the background."""

from __future__ import annotations

from uuid import UUID

from ops.jobs.registry import Payload, job
from ops.summaries.digest import send
from ops.summaries.models import Summary
from ops.summaries.requesting import request_for_slot
from ops.summaries.writing import write


@job("summaries.schedule", queue="ai", title="Ask for the summaries of the day and week that are over")
def ask_for_what_is_over(payload: Payload) -> None:
    request_for_slot(Summary.Kind.DAILY)
    request_for_slot(Summary.Kind.WEEKLY)


# The model is asked outside any transaction, and each step is on record.
@job("summaries.write", queue="ai", tries=8, outside=True, title="Write a summary")
def write_summary(payload: Payload) -> None:
    write(UUID(payload["summary_id"]))


@job("summaries.mail", queue="mail", tries=8, outside=True, title="Send the weekly summary by mail")
def mail_summary(payload: Payload) -> None:
    send(UUID(payload["summary_id"]), payload["recipient"])
