"""Reading the log: by position, by whom it concerns. Each page costs what it shows, however long the log is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from events.models import Event
from events.types import TYPES

# For each asset and type the next few positions, by index; of these the first. Said as a range of the index'
# whole key, in its order: of two equalities the planner does not know how rare they are, and reads the log.
_BY_ASSET = """
    SELECT found.position
      FROM unnest(%(assets)s::text[]) AS a (asset) CROSS JOIN unnest(%(types)s::text[]) AS t (type)
     CROSS JOIN LATERAL (
           SELECT e.position FROM events e
            WHERE (e.asset, e.type, e.position) > (a.asset, t.type, %(after)s)
              AND (e.asset, e.type, e.position) <= (a.asset, t.type, 9223372036854775807)
            ORDER BY e.asset, e.type, e.position LIMIT %(limit)s) AS found
     ORDER BY found.position LIMIT %(limit)s
"""
_BY_WALLET = """
    SELECT found.position
      FROM unnest(%(types)s::text[]) AS t (type)
     CROSS JOIN LATERAL (
           SELECT w.position FROM event_wallets w
            WHERE w.wallet_id = %(wallet)s AND w.type = t.type AND w.position > %(after)s
              AND (%(assets)s::text[] IS NULL OR EXISTS (
                  SELECT FROM events e WHERE e.position = w.position AND e.asset = ANY(%(assets)s::text[])))
            ORDER BY w.position LIMIT %(limit)s) AS found
     ORDER BY found.position LIMIT %(limit)s
"""


def head() -> int:
    """Return the last position; 0 where nothing has happened yet."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(position), 0) FROM events")
        (position,) = cursor.fetchone()
    return int(position)


def assets() -> list[str]:
    """Return the assets that events are about: each found by one step down the index."""
    with connection.cursor() as cursor:
        cursor.execute("""
            WITH RECURSIVE found (asset) AS (
                SELECT min(asset) FROM events
                UNION ALL SELECT (SELECT min(asset) FROM events WHERE asset > found.asset) FROM found
                 WHERE found.asset IS NOT NULL)
            SELECT asset FROM found WHERE asset IS NOT NULL""")
        return [asset for (asset,) in cursor.fetchall()]


def read(*, after: int, limit: int) -> list[Event]:
    """Return the events behind a position, in order."""
    return list(Event.objects.filter(position__gt=after).order_by("position")[:limit])


def read_of_wallet(
    wallet_id: UUID, *, after: int, limit: int, types: Sequence[str], assets: Sequence[str] | None = None
) -> list[Event]:
    """
    Return a wallet's events behind a position; of some types, or of all where ``types`` is empty.

    With ``assets`` only events of those: a payment to it that failed may be of another than its own.
    """
    asked = {"wallet": wallet_id, "types": list(types or TYPES), "after": after, "limit": limit}
    return _at(_BY_WALLET, asked | {"assets": None if assets is None else list(assets)})


def read_of_assets(assets: Sequence[str], *, after: int, limit: int, types: Sequence[str]) -> list[Event]:
    """Return the events of some assets behind a position; of some types, or of all where ``types`` is empty."""
    return _at(_BY_ASSET, {"assets": list(assets), "types": list(types or TYPES), "after": after, "limit": limit})


def _at(query: str, asked: dict[str, Any]) -> list[Event]:
    with connection.cursor() as cursor:
        cursor.execute(query, asked)
        positions = [position for (position,) in cursor.fetchall()]
    return list(Event.objects.filter(position__in=positions).order_by("position"))
