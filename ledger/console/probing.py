"""
Find the ids of a list's page by an index that ends in the id, whatever its columns are narrowed to.

An index of (asset, kind, status, id) is asked once for each value that a column which was left open can have, a
page's rows each: some dozens of look-ups however large the table, where a scan for something rare would read all
of it (as ``payments.listing`` does for the API). The columns stand in row comparisons: told that only the id
varies, the planner would walk the primary key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Model, UUIDField

from ledger.console.lists import Key, KeysetChangeList
from ledger.ids import lowest_id

LOWEST, HIGHEST = UUID(int=0), UUID(int=2**128 - 1)


Narrowing = Mapping[str, Sequence[Any]]


def probe(
    model: type[Model], narrowings: Sequence[Narrowing], *, low: UUID, high: UUID, limit: int, falling: bool
) -> list[UUID]:
    """
    Return up to ``limit`` ids from above ``low`` and below ``high``, in order.

    A narrowing has the columns of one index, in its order, before the id, each with the values that it may have; what
    several find is put together.
    """
    sql, parameters = probing(model, narrowings, low=low, high=high, limit=limit, falling=falling)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [found for (found,) in cursor.fetchall()]


def probing(
    model: type[Model], narrowings: Sequence[Narrowing], *, low: UUID, high: UUID, limit: int, falling: bool
) -> tuple[str, list[Any]]:
    """Return what ``probe`` asks, and its parameters, to be part of a larger question."""
    order = "DESC" if falling else "ASC"
    parts: list[str] = []
    parameters: list[Any] = []
    for narrowing in narrowings:
        parts.append(_look_ups(model, narrowing, order))
        parameters += [*(list(values) for values in narrowing.values()), low, high, limit]
    return f"{' UNION '.join(parts)} ORDER BY id {order} LIMIT %s", [*parameters, limit]


def _look_ups(model: type[Model], narrowing: Narrowing, order: str) -> str:
    options = model._meta
    fields: list[Any] = [options.get_field(name) for name in narrowing]
    sides = [
        f"unnest(%s::{'uuid' if isinstance(_kind(field), UUIDField) else 'text'}[]) AS c{place}(v)"
        for place, field in enumerate(fields)
    ]
    columns = [*(f"t.{field.column}" for field in fields), f"t.{options.pk.column}"]
    row, bound = ", ".join(columns), ", ".join([*(f"c{place}.v" for place in range(len(fields))), "%s"])
    return f"""
        SELECT found.id FROM {" CROSS JOIN ".join(sides)} CROSS JOIN LATERAL (
            SELECT t.{options.pk.column} AS id FROM {options.db_table} t
             WHERE ({row}) > ({bound}) AND ({row}) < ({bound})
             ORDER BY {", ".join(f"{column} {order}" for column in columns)} LIMIT %s) AS found"""


class ProbingChangeList(KeysetChangeList):
    """A list by falling id whose ``narrowings`` say which indexes to ask; none: it is read as any list."""

    def narrowings(self) -> list[Narrowing]:
        """Return what to ask of one index, or of several whose rows are put together."""
        raise NotImplementedError

    def rows(self, key: Key | None, *, newer: bool, limit: int) -> list[Any]:
        narrowings = self.narrowings()
        if not narrowings:
            return super().rows(key, newer=newer, limit=limit)
        low, high = self._span()
        if key is not None:
            low, high = (max(low, key[0]), high) if newer else (low, min(high, key[0]))
        ids = probe(self.model, narrowings, low=low, high=high, limit=limit, falling=not newer)
        # Filtered and ordered, by the ids alone: with its other conditions the planner might go another way again.
        page = {row.pk: row for row in self.apply_select_related(self.root_queryset).filter(pk__in=ids)}
        return [page[one] for one in ids if one in page]

    def chosen(self, word: str) -> Any:
        """Return what the filter ``?word=`` is set to; None: it is not."""
        return next((one.value for one in self.filter_specs if one.parameters == (word,)), None)

    def _span(self) -> tuple[UUID, UUID]:
        spans: list[tuple[datetime | None, datetime | None]] = [
            (one.since, one.until) for one in self.filter_specs if hasattr(one, "since")
        ]
        since, until = spans[0] if spans else (None, None)
        low = UUID(int=lowest_id(since).int - 1) if since else LOWEST
        return low, lowest_id(until) if until else HIGHEST


def _kind(field: Any) -> Any:
    return _kind(field.target_field) if field.is_relation else field
