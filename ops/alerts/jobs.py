"""What is done for alerts in the background."""

from __future__ import annotations

from uuid import UUID

from ops.alerts.evaluating import evaluate
from ops.alerts.sending import TRIES, send
from ops.jobs.registry import Payload, job


# It measures in a snapshot, which is a transaction of its own; done twice, an alert has one occurrence more.
@job("alerts.evaluate", queue="jobs", tries=1, outside=True, title="Evaluate alert rules")
def evaluate_rules(payload: Payload) -> None:
    evaluate()


@job("alerts.send", queue="mail", tries=TRIES, outside=True, title="Send a message about alerts")
def send_message(payload: Payload) -> None:
    send(UUID(payload["notification_id"]))
