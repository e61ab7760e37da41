"""
How many requests a caller may send: a rate over all processes, asked of Redis in portions.

A process leases a portion of the second's requests at once and gives them out by itself, so that most
requests need no round trip. Without Redis each process counts alone, to the same rate: a limit that is
looser by the number of processes, but neither gone nor shut.
"""

from __future__ import annotations

import threading
from time import time
from typing import Any

from walletplatform.api.problems import Problem
from walletplatform.cache.redis import ask

PORTIONS = 10
# Forget callers of long ago when there are more than this.
KNOWN = 10_000
# Callers share so many locks: one's round trip holds up few others.
LOCKS = 64
_NONE_LEFT = -1


class RateLimit:
    """
    ``rate`` requests a second for each caller of ``name``.

    ``left`` is by caller the second, and how many of its portion remain; none are left to lease where it
    is ``_NONE_LEFT``, so that whoever is beyond its rate asks Redis no more.
    """

    def __init__(self, name: str, rate: int) -> None:
        self.name = name
        self.rate = rate
        self.portion = max(1, rate // PORTIONS)
        self.left: dict[str, tuple[int, int]] = {}
        self.alone: dict[str, int] = {}
        self.locks = [threading.Lock() for _ in range(LOCKS)]
        self.alone_lock = threading.Lock()

    def take(self, caller: str) -> None:
        """
        Count a request of ``caller``.

        :raises Problem: ``rate_limited``
        """
        second = int(time())
        # A caller's requests one at a time, the lease included: many who ask at once would each lease a portion.
        with self.locks[hash(caller) % LOCKS]:
            of, left = self.left.get(caller, (second, 0))
            if of != second or not left:
                left = self._lease(caller, second) or _NONE_LEFT
            if len(self.left) >= KNOWN:
                self.left.clear()
            self.left[caller] = (second, max(_NONE_LEFT, left - 1))
        if left == _NONE_LEFT:
            raise Problem("rate_limited", "Too many requests: wait a moment.", headers=self._headers())

    def _lease(self, caller: str, second: int) -> int:
        """Ask for a portion of this second's requests; return how many were granted."""
        name = f"rate:{self.name}:{caller}:{second}"

        def count(redis: Any) -> int:
            with redis.pipeline(transaction=False) as pipeline:
                pipeline.incrby(name, self.portion)
                pipeline.expire(name, 3)
                return int(pipeline.execute()[0])

        taken = ask("limits", count, None)
        if taken is None:
            taken = self._alone(name, second)
        return min(self.portion, max(0, self.rate - taken + self.portion))

    def _alone(self, name: str, second: int) -> int:
        """Count by this process alone."""
        with self.alone_lock:
            if self.alone.get("second") != second:
                self.alone = {"second": second}
            self.alone[name] = self.alone.get(name, 0) + self.portion
            return self.alone[name]

    def _headers(self) -> dict[str, str]:
        # draft-ietf-httpapi-ratelimit-headers: the policy's quota and window, what remains and until when.
        return {"RateLimit-Policy": f'"{self.name}";q={self.rate};w=1', "RateLimit": f'"{self.name}";r=0;t=1'}
