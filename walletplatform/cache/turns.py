"""
Queue for a wallet before taking a database connection, where payments go one by one (GROUP_COMMIT off).

``wallet:lock:{id}`` for ten seconds at most. It only spares PostgreSQL a crowd of waiting sessions: the row
locks decide, so whoever has waited long enough, or finds no Redis, goes on without it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from secrets import token_hex
from time import monotonic, sleep
from uuid import UUID

from walletplatform.cache.redis import ask

HELD_MS = 10_000
PATIENCE = 1.0
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


@contextmanager
def turn(wallets: Sequence[UUID]) -> Iterator[None]:
    """Wait for the wallets' turns in the order of ids, and give them back."""
    token, held = token_hex(8), []
    until = monotonic() + PATIENCE
    try:
        for wallet in sorted(wallets):
            name = f"wallet:lock:{wallet}"
            if not _take(name, token, until):
                break
            held.append(name)
        yield
    finally:
        for name in held:
            ask("turns", lambda redis, name=name: redis.eval(_RELEASE, 1, name, token), None)  # type: ignore[misc]


def _take(name: str, token: str, until: float) -> bool:
    """Take a turn, asking again after ever longer waits; False where there is none to be had."""
    wait = 0.002
    while True:
        taken = ask("turns", lambda redis: bool(redis.set(name, token, nx=True, px=HELD_MS)), None)
        if taken is not False:
            return bool(taken)
        if monotonic() + wait > until:
            return False
        sleep(random.uniform(wait / 2, wait))  # noqa: S311 (jitter)
        wait *= 2
