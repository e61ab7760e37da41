"""
Who is at a job: whoever holds its lock, on a connection that does nothing else.

The server lets go of it the moment that the process dies, whatever was open then; so a dead worker's job is free at
once, and one that only takes long is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg
from django.conf import settings
from psycopg.conninfo import make_conninfo

from ledger.database import conninfo

_TAKE = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_LEAVE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0))"


class Locks:
    """The locks that this process holds."""

    def __init__(self, connection: psycopg.Connection[tuple[bool]]) -> None:
        self._connection = connection

    @contextmanager
    def hold(self, job_id: UUID) -> Iterator[bool]:
        """Hold a job's lock inside; yields False where somebody else does."""
        key = [f"job {job_id}"]
        row = self._connection.execute(_TAKE, key).fetchone()
        taken = bool(row and row[0])
        try:
            yield taken
        finally:
            if taken:
                self._connection.execute(_LEAVE, key)


@contextmanager
def locks() -> Iterator[Locks]:
    """A connection for locks, closed in the end."""
    database = settings.DATABASES["default"]
    named = make_conninfo(conninfo(), application_name="jobs", dbname=database["NAME"])
    with psycopg.connect(named, autocommit=True) as connection:
        yield Locks(connection)
