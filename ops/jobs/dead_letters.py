"""
What RabbitMQ has given up: messages that killed their worker again and again, or that no worker understood.

Each becomes a job, DEAD from the start, so that people see, retry and discard it as any other. It is put on record
first and taken from the broker then; cut short between the two it comes again, and its slot knows it.
"""

from __future__ import annotations

from typing import Any

import orjson
from django.conf import settings

from ledger import clock
from ledger.ids import id_maker
from ops.jobs.models import Job
from ops.jobs.registry import QUEUES, GiveUp, Payload, job
from walletplatform.celery import app
from walletplatform.queues import celery_queue, dead_letters, is_amqp

NAME = "broker.message"
AT_ONCE = 200
# It only rings for a queue; what it rang for is on record itself.
RING = "ops.tasks.run_jobs"
# What RabbitMQ says of why, as people say it.
REASONS = {
    "delivery_limit": "Its worker died at it each time.",
    "rejected": "No worker understood it.",
    "expired": "Nobody took it in time.",
}


def collect() -> int:
    """
    Put the broker's dead letters on record as jobs; return how many. A broker of another kind has none.

    :raises OSError, KombuError: where the broker does not answer
    """
    if not is_amqp(settings.CELERY_BROKER_URL):
        return 0
    with app.connection_for_read() as connection:
        queue: Any = dead_letters()(connection.channel())
        queue.declare()
        for number in range(AT_ONCE):
            message = queue.get(no_ack=False, accept=["json", "pickle", "yaml", "application/octet-stream"])
            if message is None:
                return number
            if message.headers.get("task") != RING:
                _keep(message)
            message.ack()
    return AT_ONCE


def _keep(message: Any) -> None:
    now, headers = clock.now(), message.headers
    # What no Celery sent has no id: nothing tells it from another, and it is kept as often as it comes.
    task, identity = _plain(headers.get("task") or "unknown")[:100], _plain(headers.get("id") or "")
    death = (headers.get("x-death") or [{}])[0]
    came_from = str(death.get("queue", "")).removeprefix(celery_queue(""))
    reason = REASONS.get(death.get("reason", ""), "The broker gave it up.")
    Job.objects.bulk_create(
        [
            Job(
                id=id_maker(at=now)(), name=NAME, queue=came_from if came_from in QUEUES else "jobs",
                slot=identity[:64], state=Job.State.DEAD, error=f"{task}: {reason}"[:500], created_at=now, due_at=now,
                finished_at=now, request_id=identity[:128],
                payload={"task": task, "queue": came_from or "default", **_arguments(message)},
            )
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def _arguments(message: Any) -> dict[str, Any]:
    """Return ``args`` and ``kwargs`` of Celery's JSON; what is nothing of the kind as ``body``."""
    body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
    try:
        # The database keeps no NUL, however it is written.
        if b"\\u0000" in body:
            raise ValueError
        args, kwargs, _ = orjson.loads(body)
    except (ValueError, TypeError):
        return {"body": _plain(body[:2000].decode("utf-8", "replace"))}
    return {"args": args, "kwargs": kwargs}


def _plain(text: object) -> str:
    return str(text).replace("\0", "")


@job(NAME, queue="jobs", outside=True, title="A message that the broker gave up")
def send_again(payload: Payload) -> None:
    """Give a message that somebody retries to the workers once more."""
    if payload["task"] not in app.tasks or "args" not in payload:
        raise GiveUp(f"{payload['task']}: No worker understands it; discard it.")
    app.send_task(payload["task"], args=payload["args"], kwargs=payload["kwargs"], queue=celery_queue(payload["queue"]))
