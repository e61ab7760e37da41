"""
What a run looks at, in chunks: the whole ledger, or what a span of the log has touched.

A chunk is small enough to be held in memory and looked up by index. Everything here reads the snapshot of the
transaction that is open on Django's connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol
from uuid import UUID

from django.db import connection

from ledger.ids import lowest_id

AT_ONCE = 5_000
ACCOUNTS_AT_ONCE = 500
# Between reading the clock and committing a payment there is less time than this.
SLACK = timedelta(minutes=1)
LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)
# Of an account the first ``seq`` to be looked at; None: only its last entry.
Touched = tuple[UUID, int | None]
Unit = Literal["minute", "hour"]


class Scope(Protocol):
    """The span of the log, (after, upto], and what to look at for it. ``documents`` comes before ``accounts``."""

    after: int
    upto: int
    # What there is about: only to show how far a run has come.
    expected: dict[str, int]
    entries: int

    def documents(self) -> Iterator[list[UUID]]:
        """Yield ids of payments and transactions."""

    def accounts(self) -> Iterator[list[Touched]]:
        """Yield accounts and wallets."""

    def figures(self, unit: Unit) -> dict[str, Any]:
        """Return since when (``begins``, a full unit) to recount figures, and behind which position that was."""


class WholeLedger:
    """All there is, by its ids: nothing need be told to be looked at."""

    def __init__(self, upto: int) -> None:
        self.after, self.upto, self.entries = 0, upto, 0
        self.expected = {
            "payments": _about("payments"), "accounts": _about("accounts"), "events": upto
        }  # fmt: skip

    def documents(self) -> Iterator[list[UUID]]:
        return _pages({"payments": "id", "transactions": "id", "transaction_failures": "payment_id",
                       "open_holds": "payment_id", "failure_payments": "payment_id"}, AT_ONCE)  # fmt: skip

    def accounts(self) -> Iterator[list[Touched]]:
        for ids in _pages({"accounts": "id", "wallets": "id"}, ACCOUNTS_AT_ONCE):
            self.entries += int(_rows("SELECT coalesce(sum(seq), 0) FROM accounts WHERE id = ANY(%s)", [ids])[0][0])
            yield [(account, 1) for account in ids]

    def figures(self, unit: Unit) -> dict[str, Any]:
        return {"begins": "-infinity", "after": 0}


class Span:
    """
    What was touched by the events in (after, upto], and what was made in their time and never told.

    An id begins with its moment, so that what was made in a time is a range of ids.
    """

    def __init__(self, after: int, upto: int) -> None:
        self.after, self.upto, self.entries = after, upto, 0
        self.expected = {"payments": upto - after, "events": upto - after}
        self._touched: dict[UUID, int | None] = {}

    def documents(self) -> Iterator[list[UUID]]:
        for after in range(self.after, self.upto, AT_ONCE):
            span = [after, min(after + AT_ONCE, self.upto)]
            told = _rows("SELECT DISTINCT subject, starts_with(type, 'wallet.') FROM events"
                         " WHERE position > %s AND position <= %s", span)  # fmt: skip
            for wallet, is_wallet in told:
                if is_wallet:
                    self._touched.setdefault(wallet)
            payments = [payment for payment, is_wallet in told if not is_wallet]
            relatives = _rows(
                "SELECT id FROM payments WHERE parent_id = ANY(%(ids)s)"
                " UNION SELECT parent_id FROM payments WHERE id = ANY(%(ids)s) AND parent_id IS NOT NULL",
                {"ids": payments},
            )
            yield self._note(list({*payments, *(relative for (relative,) in relatives)}))
        for ids in self._untold():
            yield self._note(ids)

    def accounts(self) -> Iterator[list[Touched]]:
        touched = list(self._touched.items())
        for start in range(0, len(touched), ACCOUNTS_AT_ONCE):
            yield touched[start : start + ACCOUNTS_AT_ONCE]

    def figures(self, unit: Unit) -> dict[str, Any]:
        moment = self._time_at(self.after)
        if moment is None:
            return {"begins": "-infinity", "after": 0}
        begins = moment.replace(second=0, microsecond=0, minute=0 if unit == "hour" else moment.minute)
        after, step = self.after, 1
        while after > 0 and (self._time_at(after) or begins) >= begins - SLACK:
            after, step = max(0, after - step), step * 2
        return {"begins": begins, "after": after}

    def days(self) -> list[date]:
        """Return the days (UTC) of the span's events."""
        rows = _rows("SELECT min(time), max(time) FROM events WHERE position > %s AND position <= %s",
                     [self.after, self.upto])  # fmt: skip
        first, last = rows[0]
        if first is None:
            return []
        first, last = first.astimezone(UTC).date(), last.astimezone(UTC).date()
        return [first + timedelta(days=day) for day in range((last - first).days + 1)]

    def _note(self, ids: list[UUID]) -> list[UUID]:
        """Remember the accounts of payments, and from where on their entries are looked at."""
        for sender, receiver in _rows("SELECT sender_id, receiver_id FROM payments WHERE id = ANY(%s)", [ids]):
            self._touched.setdefault(sender)
            self._touched.setdefault(receiver)
        for account, first, entries in _rows(
            "SELECT account_id, min(seq), count(*) FROM ledger_entries WHERE transaction_id = ANY(%s) GROUP BY 1", [ids]
        ):
            known = self._touched.get(account)
            self._touched[account] = first if known is None else min(first, known)
            self.entries += entries
        return ids

    def _untold(self) -> Iterator[list[UUID]]:
        # From where the run before ended, so that no id falls between two.
        begins, ends = self._time_at(self.after), self._time_at(self.upto)
        if ends is None:
            return
        after = lowest_id(begins) if begins else LOWEST
        for ids in _pages({"payments": "id", "transactions": "id"}, AT_ONCE, after, lowest_id(ends)):
            untold = _rows("SELECT w.id FROM unnest(%s::uuid[]) AS w (id)"
                           " WHERE NOT EXISTS (SELECT FROM events e WHERE e.subject = w.id)", [ids])  # fmt: skip
            yield [payment for (payment,) in untold]

    def _time_at(self, position: int) -> datetime | None:
        rows = _rows("SELECT time FROM events WHERE position = %s", [position])
        return rows[0][0] if rows else None


def _pages(tables: dict[str, str], size: int, after: UUID = LOWEST, before: UUID = HIGHEST) -> Iterator[list[UUID]]:
    """Yield the ids that any of the tables has, in their order, between two."""
    each = " UNION ".join(
        f"(SELECT {id} FROM {table} WHERE {id} > %(after)s AND {id} < %(before)s ORDER BY {id} LIMIT %(size)s)"
        for table, id in tables.items()
    )
    while True:
        found = _rows(
            f"SELECT * FROM ({each}) AS found (id) ORDER BY id LIMIT %(size)s",
            {"after": after, "before": before, "size": size},
        )
        if not found:
            return
        yield [id for (id,) in found]
        after = found[-1][0]


def _about(table: str) -> int:
    return max(0, int(_rows("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [table])[0][0]))


def _rows(sql: str, parameters: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
