"""
The money path's own connections: psycopg, server-side parameters, prepared statements, pipelines.

One pool a process, opened on first use, so that forked and spawned workers each have their own.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.conf import settings
from psycopg import Connection, RawCursor
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool

from ledger.watchdog import watched

MoneyPool = ConnectionPool[Connection[tuple[Any, ...]]]

# A session that first plans on empty tables would keep a sequential scan for its key look-ups, and
# every statement of the money path is a key look-up.
PLANNING = " -c enable_seqscan=off -c jit=off -c plan_cache_mode=force_generic_plan"


def money_pool() -> MoneyPool:
    """Return this process's pool of money-path connections (role ``app``, autocommit)."""
    return _open_pool(os.getpid(), settings.DATABASES["default"]["NAME"])


@contextmanager
def money_connection() -> Iterator[Connection[tuple[Any, ...]]]:
    """
    Use a connection of the pool, for no longer than the watchdog allows.

    :raises GivenUp: where it was too long
    """
    with money_pool().connection() as connection, watched(connection):
        yield connection


def epoch() -> str:
    """
    Return which history the database is on: its identity and timeline, as the latest connection found it.

    A restore to an earlier moment, or a failover, begins a new timeline.
    """
    return _epoch[0] if _epoch else ""


def _note_epoch(connection: Connection[tuple[Any, ...]]) -> None:
    # The timeline by the log that is written now: the control file learns of a promotion minutes later.
    with watched(connection):
        row = connection.execute(
            "SELECT system_identifier || ':' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
            " FROM pg_control_system()"
        ).fetchone()
    assert row is not None
    _epoch[:] = [str(row[0])]


_epoch: list[str] = []


def close_money_pool() -> None:
    """Close this process's pool; the next use opens one by the settings as they are then."""
    money_pool().close()
    _open_pool.cache_clear()


def conninfo() -> str:
    """Return the libpq connection string of the ``default`` database, as Django knows it now."""
    database: dict[str, Any] = settings.DATABASES["default"]
    given = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        "options": database["OPTIONS"]["options"] + PLANNING,
        "application_name": "money",
        "connect_timeout": 5,
        **settings.TCP_TIMEOUTS,
    }
    return make_conninfo(**{name: value for name, value in given.items() if value})


def numbered(sql: str) -> str:
    """Return SQL whose placeholders ``%s`` are ``$1``, ``$2``, ... in their order."""
    first, *rest = sql.split("%s")
    return first + "".join(f"${number}{text}" for number, text in enumerate(rest, start=1))


@lru_cache(maxsize=2)
def _open_pool(pid: int, database: str) -> MoneyPool:
    pool = ConnectionPool(
        conninfo(),
        # Raw: with $1 placeholders (see ``numbered``) psycopg has nothing to rewrite at each execution.
        kwargs={"autocommit": True, "prepare_threshold": 0, "cursor_factory": RawCursor},
        configure=_note_epoch,
        min_size=1,
        max_size=settings.MONEY_POOL_SIZE,
        timeout=2,
        reconnect_timeout=settings.POOL_RECONNECT_SECONDS,
        name="money",
        open=True,
    )
    # Left to the interpreter's end, its threads would be joined by one of themselves.
    atexit.register(pool.close)
    return pool
