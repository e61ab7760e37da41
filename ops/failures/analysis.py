"""
Failed payments of a window, counted by what they have in common, beside the window before and the same a week before.

One query counts by as many dimensions as are asked for; it reads each failed payment of the three windows once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from ops.failures.models import FailedPayment
from ops.windows import WEEK, Window

LONGEST = timedelta(days=30)
EXAMPLES = 3
# What to count by, and how a failed payment ``f`` that is told ``w.shift`` later says it.
DIMENSIONS = {
    "code": "f.code",
    "category": "f.category",
    "client": "f.client_id",
    "wallet": "f.wallet_id",
    "hour": "date_trunc('hour', f.failed_at + w.shift, 'UTC')",
}
_IS_EXAMPLE = {
    "code": "f.code = k.key",
    "category": "f.category = k.key",
    "client": "f.client_id = k.key::uuid",
    "wallet": "f.wallet_id = k.key::uuid",
    "hour": "f.failed_at >= k.key::timestamptz AND f.failed_at < k.key::timestamptz + interval '1 hour'",
}
_COUNTS = """
    SELECT dimension, key, now, previous, week_before, first_seen, last_seen
      FROM (SELECT *, row_number() OVER (PARTITION BY dimension ORDER BY now DESC, last_seen DESC, key) AS place
              FROM (SELECT grouping({names}) AS dimension, coalesce({texts}) AS key,
                           count(*) FILTER (WHERE span = 0) AS now, count(*) FILTER (WHERE span = 1) AS previous,
                           count(*) FILTER (WHERE span = 2) AS week_before,
                           min(failed_at) FILTER (WHERE span = 0) AS first_seen,
                           max(failed_at) FILTER (WHERE span = 0) AS last_seen
                      FROM (VALUES (0, interval '0'), (1, %(earlier)s), (2, %(week)s)) AS w (span, shift)
                     CROSS JOIN LATERAL (
                           SELECT {columns}, f.failed_at FROM failure_payments f
                            WHERE f.failed_at >= %(begins)s - w.shift AND f.failed_at < %(ends)s - w.shift {chosen}
                           ) AS told
                     GROUP BY GROUPING SETS ({sets}, ())) AS counted
             WHERE key IS NOT NULL AND now > 0 OR dimension = %(total)s) AS placed
     WHERE place <= %(fetch)s
     ORDER BY dimension, place
"""
_AMOUNTS = """
    SELECT grouping({names}) AS dimension, coalesce({texts}) AS key, asset, sum(amount)
      FROM (SELECT {columns}, f.asset, f.amount
              FROM failure_payments f CROSS JOIN (VALUES (interval '0')) AS w (shift)
             WHERE f.failed_at >= %(begins)s AND f.failed_at < %(ends)s {chosen}) AS told
     GROUP BY GROUPING SETS ({sets_by_asset}, (asset))
    HAVING grouping({names}) = %(total)s OR coalesce({texts}) = ANY(%(keys)s)
"""
_EXAMPLES = """
    SELECT k.key, found.payment_id
      FROM unnest(%(keys)s::text[]) AS k (key)
     CROSS JOIN LATERAL (
           SELECT f.payment_id, f.failed_at FROM failure_payments f
            WHERE {is_example} AND f.failed_at >= %(begins)s AND f.failed_at < %(ends)s {chosen}
            ORDER BY f.failed_at DESC LIMIT %(examples)s) AS found
     ORDER BY k.key, found.failed_at DESC
"""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which failed payments are looked at: of some assets (None: all), of a code, a client, a wallet."""

    assets: Sequence[str] | None = None
    code: str | None = None
    client: UUID | None = None
    wallet: UUID | None = None

    def sql(self) -> str:
        given = {
            "f.asset = ANY(%(assets)s)": self.assets,
            "f.code = %(code)s": self.code,
            "f.client_id = %(client)s": self.client,
            "f.wallet_id = %(wallet)s": self.wallet,
        }
        return "".join(f" AND {condition}" for condition, value in given.items() if value is not None)

    def rows(self) -> QuerySet[FailedPayment]:
        wanted = {
            "asset__in": self.assets, "code": self.code, "client_id": self.client, "wallet_id": self.wallet,
        }  # fmt: skip
        return FailedPayment.objects.filter(**{name: value for name, value in wanted.items() if value is not None})

    def parameters(self) -> dict[str, Any]:
        assets = None if self.assets is None else list(self.assets)
        return {"assets": assets, "code": self.code, "client": self.client, "wallet": self.wallet}


@dataclass(slots=True)
class Group:
    """
    Failed payments that have a key in common, as text; the total's is "".

    ``amounts`` are minor units by asset; ``first_seen`` and ``last_seen`` are None where there is no failure.
    """

    key: str
    failures: int = 0
    previous: int = 0
    week_before: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    amounts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Analysis:
    """The groups of each dimension, the largest first and ``limit`` at most; ``more`` names those that have more."""

    window: Window
    chosen: Chosen
    total: Group
    groups: dict[str, list[Group]]
    more: set[str]


def analyse(*, window: Window, by: Sequence[str], chosen: Chosen | None = None, limit: int = 50) -> Analysis:
    """Count a window's failed payments by some of ``DIMENSIONS``, at most ``limit`` groups of each; no amounts yet."""
    chosen = chosen or Chosen()
    query = _Query(window, by, chosen)
    analysis = Analysis(window, chosen, Group(""), {name: [] for name in by}, set())
    for which, key, *counts in query.rows(_COUNTS, fetch=limit + 1, earlier=window.earlier, week=WEEK):
        if which == query.total:
            analysis.total = Group("", *counts)
        else:
            analysis.groups[query.dimension(which)].append(Group(key, *counts))
    for name, groups in analysis.groups.items():
        if len(groups) > limit:
            analysis.more.add(name)
            del groups[limit:]
    return analysis


def add_amounts(analysis: Analysis, dimension: str) -> None:
    """Add to the total, and to a dimension's groups, what should have moved."""
    query = _Query(analysis.window, [dimension], analysis.chosen)
    named = {group.key: group for group in analysis.groups[dimension]}
    for which, key, asset, amount in query.rows(_AMOUNTS, keys=list(named)):
        group = analysis.total if which == query.total else named[key]
        group.amounts[asset] = int(amount)


def examples(analysis: Analysis, dimension: str) -> dict[str, list[UUID]]:
    """Return the last few payments of each group of a dimension."""
    found: dict[str, list[UUID]] = {}
    query = _Query(analysis.window, [dimension], analysis.chosen)
    keys = [group.key for group in analysis.groups[dimension]]
    for key, payment_id in query.rows(_EXAMPLES, is_example=_IS_EXAMPLE[dimension], keys=keys, examples=EXAMPLES):
        found.setdefault(key, []).append(payment_id)
    return found


def change(now: int, before: int) -> float | None:
    """Return by what part of ``before`` it has grown; None where there was nothing to compare with."""
    return (now - before) / before if before else None


class _Query:
    """The parts of a statement that counts by some dimensions."""

    def __init__(self, window: Window, by: Sequence[str], chosen: Chosen) -> None:
        self.by, self.chosen = list(by), chosen
        self.total = (1 << len(self.by)) - 1
        self.parameters = chosen.parameters() | {"begins": window.begins, "ends": window.ends, "total": self.total}
        self.parts = {
            "names": ", ".join(self.by),
            "texts": ", ".join(map(_text, self.by)),
            "columns": ", ".join(f"{DIMENSIONS[name]} AS {name}" for name in self.by),
            "sets": ", ".join(f"({name})" for name in self.by),
            "sets_by_asset": ", ".join(f"({name}, asset)" for name in self.by),
            "chosen": chosen.sql(),
        }

    def dimension(self, grouping: int) -> str:
        """PostgreSQL tells what is *not* grouped by, the last name in the lowest bit."""
        return self.by[len(self.by) - (self.total - grouping).bit_length()]

    def rows(self, statement: str, *, is_example: str = "", **parameters: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            sql = statement.format(**self.parts, is_example=is_example)
            cursor.execute(sql, self.parameters | parameters)
            return list(cursor.fetchall())


def _text(name: str) -> str:
    hour = """to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""
    return hour if name == "hour" else f"{name}::text"
