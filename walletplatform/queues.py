"""
The broker's queues of jobs.

At RabbitMQ they are quorum queues: what kills its worker ``DELIVERIES`` times, or nobody understands, goes to the
dead letters, and waits in its queue until it has arrived there. Redis and Valkey know none of that: a message that is
lost there is found by the sweep of jobs.
"""

from __future__ import annotations

from typing import Any

from kombu.entity import Exchange, Queue

NAMES = ("default", "mail", "ai", "jobs")
EXCHANGE = "walletplatform.jobs"
DEAD = "walletplatform.dead"
DELIVERIES = 3
# A publisher that hears nothing for so long goes on without: somebody may wait for its answer.
PUBLISH_SECONDS = 2
# Longer than any task takes but a reconciliation, which one worker alone is at.
VISIBILITY_SECONDS = 900


def celery_queue(name: str) -> str:
    """Return what a queue is called at the broker, which may be others' too."""
    return f"walletplatform.{name}"


def queues(broker_url: str) -> list[Queue]:
    """Return the queues as a worker declares them at this broker."""
    arguments = _QUORUM if is_amqp(broker_url) else {}
    return [_queue(celery_queue(name), EXCHANGE, exchange_type(broker_url), arguments) for name in NAMES]


def exchange_type(broker_url: str) -> str:
    # At RabbitMQ Celery's delays need topics. Redis would keep what is bound to them as data, and once emptied drop
    # every message until all have connected anew; a direct one is not asked: its messages go straight to the queue.
    return "topic" if is_amqp(broker_url) else "direct"


def dead_letters() -> Queue:
    """Return the queue of what no worker could do."""
    return _queue(DEAD, DEAD, "fanout", {"x-queue-type": "quorum"})


def _queue(name: str, exchange: str, kind: str, arguments: dict[str, Any]) -> Queue:
    return Queue(name, Exchange(exchange, kind), routing_key=name, queue_arguments=arguments)  # type: ignore[no-untyped-call]


def transport_options(broker_url: str) -> dict[str, Any]:
    if is_amqp(broker_url):
        return {"confirm_publish": True, "connect_timeout": PUBLISH_SECONDS}
    return {
        "visibility_timeout": VISIBILITY_SECONDS, "socket_connect_timeout": PUBLISH_SECONDS, "socket_timeout": 5,
    }  # fmt: skip


def is_amqp(broker_url: str) -> bool:
    return broker_url.startswith(("amqp:", "amqps:", "pyamqp:"))


_QUORUM = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERIES,
    "x-dead-letter-exchange": DEAD,
    "x-dead-letter-strategy": "at-least-once",
    "x-overflow": "reject-publish",
}
