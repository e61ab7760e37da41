"""Why something that a person asked for was not done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError
from psycopg.errors import DeadlockDetected, LockNotAvailable, QueryCanceled


class Refused(Exception):
    """
    Nothing was changed; ``detail`` is for the person who asked.

    ``code`` is forbidden, not_found, invalid, no_checker, already_open, own_request, not_pending, expired, tampered,
    maker_lost_right, target_changed or busy.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@contextmanager
def refused_where_busy() -> Iterator[None]:
    """:raises Refused: ``busy`` where what is done inside waited too long for others; its transaction is undone"""
    try:
        yield
    except OperationalError as error:
        if not isinstance(error.__cause__, DeadlockDetected | LockNotAvailable | QueryCanceled):
            raise
        raise Refused("busy", "Others are at it right now. Nothing was done: try again in a moment.") from error
