"""
No use of a money-path connection lasts for ever.

A peer that acknowledges what it is sent, and never answers, satisfies TCP and every timeout that the server
would keep: whoever reads from it waits for ever. So each use has its seconds; then its socket is shut, and the
reader is told by an error.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from time import monotonic, sleep
from typing import Any

import psycopg
from psycopg import Connection

from walletplatform.observability import metrics

# Longer than anything that the server itself lets last.
USE_SECONDS = 20.0


class GivenUp(psycopg.OperationalError):
    """The database did not answer in ``USE_SECONDS``, so its connection was shut. It may answer as little to others."""


class _Use:
    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self.since = monotonic()
        self.given_up = False

    def give_up(self) -> None:
        self.given_up = True
        metrics.GIVEN_UP.inc()
        # Another descriptor of the same socket: the connection's own is its reader's to close.
        with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(self.connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)


class _Watchdog:
    def __init__(self) -> None:
        self.uses: set[_Use] = set()
        self.lock = threading.Lock()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            sleep(min(1.0, USE_SECONDS / 4))
            with self.lock:
                for use in self.uses:
                    if not use.given_up and monotonic() - use.since > USE_SECONDS:
                        use.give_up()


@contextmanager
def watched(connection: Connection[Any]) -> Iterator[None]:
    """
    Give this use of a connection its seconds. It leaves no transaction open.

    :raises GivenUp: where they were over
    """
    watchdog, use = _watchdog(os.getpid()), _Use(connection)
    with watchdog.lock:
        watchdog.uses.add(use)
    try:
        try:
            yield
        except BaseException:
            # Here, and not by the pool afterwards, which would wait for the answer unwatched.
            with suppress(psycopg.Error):
                connection.rollback()
            raise
    except psycopg.OperationalError as error:
        if use.given_up:
            raise GivenUp(f"no answer in {USE_SECONDS:g} seconds") from error
        raise
    finally:
        with watchdog.lock:
            watchdog.uses.discard(use)


def what_is_stuck() -> str:
    """Return what readiness tells of a use that will be given up if it goes on so; empty where there is none."""
    watchdog = _watchdog(os.getpid())
    with watchdog.lock:
        since = min((use.since for use in watchdog.uses), default=None)
    if since is None or monotonic() - since < USE_SECONDS / 2:
        return ""
    return f"the database has not answered the money path for {monotonic() - since:.0f} seconds"


@lru_cache(maxsize=1)
def _watchdog(pid: int) -> _Watchdog:
    return _Watchdog()
