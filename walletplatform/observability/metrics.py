"""
Prometheus metrics. With several web processes they share files in ``PROMETHEUS_MULTIPROC_DIR``.

Labels have few values: never ids, paths with ids, or anything a caller can make up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from django.http import HttpRequest, HttpResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)

PAYMENTS = Counter("wallet_payments", "Payments by kind and outcome.", ["kind", "outcome"])
REQUESTS = Histogram("wallet_request_seconds", "Requests.", ["route", "method", "status"], buckets=_SECONDS)
BATCHES = Histogram("wallet_batch_size", "Payments in a batch.", buckets=(1, 2, 5, 10, 20, 50, 100, 500, 1000, 5000))
_PHASES = Histogram("wallet_money_seconds", "The money path by phase.", ["phase"], buckets=_SECONDS)
GROUP_QUEUED = Histogram("wallet_group_queue_seconds", "Waiting for a batch to begin.", buckets=_SECONDS)
GROUP_WAITING = Gauge("wallet_group_waiting", "Payments left waiting as a batch begins.", multiprocess_mode="livesum")
GROUP_ASIDE = Counter("wallet_group_aside", "Payments taken out of their batch, to go alone.", ["reason"])
GIVEN_UP = Counter("wallet_money_given_up", "Money-path connections shut because the database did not answer.")
REDIS = Counter("wallet_redis_calls", "Calls of Redis by use: answered, failed, skipped.", ["use", "result"])
REDIS_OPEN = Gauge("wallet_redis_breaker_open", "Processes that leave Redis alone.", multiprocess_mode="livesum")
REPLAYS = Counter("wallet_replays", "Repeated requests answered from Redis.")
# What apps read as they are asked for it, instead of counting it all the time.
COLLECTORS: list[Collector] = []
POOL = Gauge("wallet_pool_connections", "Money-path connections.", ["state"], multiprocess_mode="livesum")


@contextmanager
def money_phase(name: str) -> Iterator[None]:
    start = perf_counter()
    try:
        yield
    finally:
        _PHASES.labels(name).observe(perf_counter() - start)


def metrics_view(request: HttpRequest) -> HttpResponse:
    """Answer all processes' metrics in the Prometheus text format."""
    registry: CollectorRegistry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    asked = CollectorRegistry()
    for collector in COLLECTORS:
        asked.register(collector)
    return HttpResponse(generate_latest(registry) + generate_latest(asked), content_type=CONTENT_TYPE_LATEST)


def count_payment(*, kind: str, outcome: str) -> None:
    PAYMENTS.labels(kind, outcome).inc()


def observe_pool(stats: dict[str, int]) -> None:
    """Publish what ``psycopg_pool.ConnectionPool.get_stats`` tells."""
    size, idle = stats.get("pool_size", 0), stats.get("pool_available", 0)
    POOL.labels("idle").set(idle)
    POOL.labels("busy").set(size - idle)
    POOL.labels("waiting").set(stats.get("requests_waiting", 0))
