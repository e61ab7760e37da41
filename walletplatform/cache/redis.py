"""
Redis, asked carefully: never needed for a right answer, never waited for, and left alone while it is ill.

Each call has 50 ms to connect and 50 to answer. After three failures in a row the breaker opens, and for
two seconds nobody asks; then one call tries. Whoever calls says what to do without an answer.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import lru_cache
from time import monotonic
from typing import Any, TypeVar

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from walletplatform.observability import metrics

SECONDS = 0.05
FAILURES = 3
PAUSE = 2.0

T = TypeVar("T")


class Breaker:
    """Counts failures in a row. Open: nobody asks; half open: the next call is the trial."""

    def __init__(self) -> None:
        self.failures = 0
        self.closed_again = 0.0
        self.lock = threading.Lock()

    def allows(self) -> bool:
        if self.failures < FAILURES:
            return True
        with self.lock:
            if monotonic() < self.closed_again:
                return False
            self.closed_again = monotonic() + PAUSE  # this caller tries, the others wait for what it finds
            return True

    def note(self, *, success: bool) -> None:
        with self.lock:
            self.failures = 0 if success else self.failures + 1
            if self.failures >= FAILURES:
                self.closed_again = monotonic() + PAUSE
        metrics.REDIS_OPEN.set(int(self.failures >= FAILURES))


breaker = Breaker()


def ask(use: str, call: Callable[[Any], T], otherwise: T) -> T:
    """Return what ``call(redis)`` returns, or ``otherwise`` where Redis cannot be asked. ``use`` is for metrics."""
    if not breaker.allows():
        metrics.REDIS.labels(use, "skipped").inc()
        return otherwise
    try:
        answer = call(_client(os.getpid(), settings.REDIS_URL))
    except (RedisError, OSError):
        breaker.note(success=False)
        metrics.REDIS.labels(use, "failed").inc()
        return otherwise
    if breaker.failures:
        breaker.note(success=True)
    metrics.REDIS.labels(use, "answered").inc()
    return answer


@lru_cache(maxsize=1)
def _client(pid: int, url: str) -> Any:
    return Redis.from_url(
        url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=Retry(NoBackoff(), 0), max_connections=32
    )
