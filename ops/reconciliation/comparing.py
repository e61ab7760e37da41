"""Compare: every check on every chunk of a scope, in one snapshot. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.transaction import atomic

from ops.reconciliation.balances import BALANCE_CHECKS, CONSERVED, WHOLE_CHECKS
from ops.reconciliation.checks import MOST_KEPT, Check, Difference
from ops.reconciliation.limits import LIMIT_CHECKS
from ops.reconciliation.outside import MATCH_CHECKS
from ops.reconciliation.postings import POSTING_CHECKS
from ops.reconciliation.read_models import (
    ALL_CLIENT_HOURS,
    CLIENT_DAYS,
    CLIENT_HOURS,
    FAILED,
    FIGURES,
    HOLDS,
    SETTLEMENT,
    SETTLEMENT_DAY,
    exactly_read,
)
from ops.reconciliation.scopes import AT_ONCE, Scope, Span, WholeLedger
from ops.reconciliation.telling import LOG_CHECKS, PAYMENT_TOLD, WALLET_TOLD

# Called with what is looked at, how many of it are done, and about how many there are.
Progress = Callable[[str, int, int | None], None]
CHECKS = [
    *POSTING_CHECKS, PAYMENT_TOLD, *BALANCE_CHECKS, *LIMIT_CHECKS, WALLET_TOLD, *WHOLE_CHECKS, *LOG_CHECKS, HOLDS,
    FAILED, SETTLEMENT, SETTLEMENT_DAY, *FIGURES, CLIENT_HOURS, ALL_CLIENT_HOURS, CLIENT_DAYS, *MATCH_CHECKS,
]  # fmt: skip
PROMISES = {check.kind: check.promise for check in CHECKS}


class AtWork(Exception):
    """Somebody else is executing this run."""


@dataclass(slots=True)
class Result:
    """What a comparison looked at and found: at most ``MOST_KEPT`` differences of a kind, else ``truncated``."""

    after: int
    upto: int
    checked: Counter[str] = field(default_factory=Counter)
    differences: dict[tuple[str, str], Difference] = field(default_factory=dict)
    found: Counter[str] = field(default_factory=Counter)
    truncated: bool = False
    # Kinds that were not looked at, or not to the end: of these a full run does not say what is gone.
    unsure: set[str] = field(default_factory=set)

    def add(self, difference: Difference) -> None:
        """Keep a difference; of two about the same the first."""
        place = (difference.kind, difference.subject_id)
        if place not in self.differences:
            self.differences[place] = difference
            self.found[difference.kind] += 1


def compare(scope_at: Callable[[int], Scope], *, run: UUID, known_head: int, on_progress: Progress) -> Result:
    """
    Compare what ``scope_at`` (the log's last position) gives, in one snapshot, under the run's lock.

    ``known_head`` is up to where the log has once been seen: what is missing before that has been cut off.

    :raises AtWork: where the lock is taken
    """
    with _snapshot():
        if not lock(run):
            raise AtWork
        scope = scope_at(_head())
        comparison = _Comparison(scope, Result(scope.after, scope.upto), on_progress)
        comparison.documents()
        comparison.accounts()
        comparison.log(known_head)
        comparison.figures()
        if isinstance(scope, WholeLedger):
            comparison.sums()
        return comparison.result


def lock(run: UUID) -> bool:
    """Take a run's lock until the transaction that is open ends; return whether it was free."""
    return bool(_query("SELECT pg_try_advisory_xact_lock(hashtextextended(%(run)s, 0))", {"run": str(run)})[0][0])


@dataclass(slots=True)
class _Comparison:
    scope: Scope
    result: Result
    on_progress: Progress

    def documents(self) -> None:
        holds, failures = exactly_read("holds"), exactly_read("failures")
        conserved: dict[str, Decimal] = {}
        for documents in self.scope.documents():
            ids = _array(documents)
            for check in [*POSTING_CHECKS, PAYMENT_TOLD]:
                self._check(check, ids=ids)
            if holds is not None:
                self._check(HOLDS, ids=ids, read=holds)
            if failures is not None:
                self._check(FAILED, ids=ids, read=failures)
            if isinstance(self.scope, Span):
                for asset, net in _query(CONSERVED, {"ids": ids}):
                    conserved[asset] = conserved.get(asset, Decimal(0)) + net
            self._done("payments", len(documents))
        self.result.unsure.update([HOLDS.kind] if holds is None else [], [FAILED.kind] if failures is None else [])
        for asset, net in conserved.items():
            if net:
                evidence = {"expected": {"entries": "0"}, "actual": {"entries": str(net)}}
                self.result.add(Difference("asset_entries", "asset", asset, evidence))

    def accounts(self) -> None:
        settlement = exactly_read("settlement")
        days = self.scope.days() if isinstance(self.scope, Span) else []
        for touched in self.scope.accounts():
            ids = _array([account for account, _ in touched])
            for check in [*BALANCE_CHECKS, *LIMIT_CHECKS]:
                self._check(check, ids=ids, firsts=[first for _, first in touched])
            self._check(WALLET_TOLD, ids=ids)
            if days and settlement is not None:
                self._check(SETTLEMENT_DAY, ids=ids, days=days, read=settlement)
            self._done("accounts", len(touched))
        self.result.checked["entries"] = self.scope.entries

    def log(self, known_head: int) -> None:
        upto = max(self.scope.upto, known_head)
        for after in range(self.scope.after, upto, AT_ONCE):
            end = min(after + AT_ONCE, upto)
            for check in LOG_CHECKS:
                self._check(check, after=after, upto=end)
            self._done("events", end - after)

    def figures(self) -> None:
        read = exactly_read("figures")
        if read is None:
            self.result.unsure.update(check.kind for check in FIGURES)
        else:
            for check in FIGURES:
                self._check(check, **self.scope.figures("minute"), read=read)
        read = exactly_read("failures")
        if read is None:
            self.result.unsure.update((CLIENT_HOURS.kind, CLIENT_DAYS.kind))
        else:
            hours = self.scope.figures("hour")
            if isinstance(self.scope, Span):
                self._check(CLIENT_HOURS, **hours, read=read)
            self._check(CLIENT_DAYS, **hours)

    def sums(self) -> None:
        """Everything at once, which is what hashing and sorting whole tables is good at."""
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = on")
        for check in [*WHOLE_CHECKS, *MATCH_CHECKS]:
            self._check(check)
        settlement = exactly_read("settlement")
        if settlement is None:
            self.result.unsure.add(SETTLEMENT.kind)
        else:
            self._check(SETTLEMENT, read=settlement)
        failures = exactly_read("failures")
        if failures is not None:
            self._check(ALL_CLIENT_HOURS, **self.scope.figures("hour"), read=failures)

    def _check(self, check: Check, **parameters: Any) -> None:
        room = MOST_KEPT - self.result.found[check.kind]
        found = _query(f"SELECT * FROM ({check.sql}) AS difference LIMIT %(limit)s", parameters | {"limit": room + 1})
        if len(found) > room:
            self.result.truncated = True
            self.result.unsure.add(check.kind)
        for subject, expected, actual in found[:room]:
            evidence = {"expected": _json(expected), "actual": _json(actual)}
            self.result.add(Difference(check.kind, check.subject, str(subject), evidence))

    def _done(self, what: str, count: int) -> None:
        self.result.checked[what] += count
        self.on_progress(what, self.result.checked[what], self.scope.expected.get(what))


@contextmanager
def _snapshot() -> Iterator[None]:
    with atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        # A chunk is looked up: a planner that knows young tables only would read them whole, time and again.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL jit = off")
        yield


def _head() -> int:
    return int(_query("SELECT coalesce(max(position), 0) FROM events", {})[0][0])


def _query(sql: str, parameters: dict[str, Any]) -> Sequence[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def _array(ids: Sequence[UUID]) -> str:
    """Write an array of PostgreSQL's, once for all checks: writing it for each took as long as the checks."""
    return "{" + ",".join(map(str, ids)) + "}"


def _json(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) else value
