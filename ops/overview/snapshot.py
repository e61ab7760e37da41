"""
All that the overview tells everybody alike, a few seconds old at most.

It is kept in Redis as JSON, so that many who look cost no more than one; without Redis each look is read anew. What
comes out of Redis and is not ours is as if it were not there.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from ops.charts import Chart, Series
from ops.overview import clients
from ops.overview.figures import read
from ops.overview.picks import Picks
from ops.overview.state import state
from ops.overview.telling import cards, payments_chart, reasons_chart, watches
from walletplatform.cache.redis import ask

SECONDS = 5
PARTS = {"as_of", "cards", "watches", "charts", "clients", "summary", "payments", "events"}


def snapshot(picked: Picks) -> dict[str, Any]:
    """Return cards, watches, charts, clients and the last summary; ``as_of`` says when it was made."""
    name = f"overview:{picked.range.name}:{picked.asset.code if picked.asset else ''}"
    stored = ask("dashboard", lambda redis: redis.get(name), None)
    kept = _fresh(stored, picked.now)
    if kept is not None:
        return kept
    value = orjson.dumps(_make(picked))
    ask("dashboard", lambda redis: redis.set(name, value, ex=SECONDS), None)
    made: dict[str, Any] = orjson.loads(value)
    return made


def chart(told: dict[str, Any]) -> Chart:
    """Return a chart out of a snapshot."""
    return Chart(**told | {"series": [Series(**one) for one in told["series"]]})


def _fresh(stored: bytes | None, now: datetime) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = orjson.loads(stored or b"{}")
        age = (now - datetime.fromisoformat(found["as_of"])).total_seconds()
    except (ValueError, TypeError, KeyError):
        return None
    return found if found.keys() == PARTS and 0 <= age < SECONDS else None


def _make(picked: Picks) -> dict[str, Any]:
    assets = picked.codes or [asset.code for asset in picked.assets]
    told, found = read(picked.range, picked.now, assets), state(assets, picked.now)
    return {
        "as_of": picked.now.isoformat(),
        "cards": [asdict(one) for one in cards(told, found, picked)],
        "watches": [asdict(one) for one in watches(found, picked.now)],
        "charts": [asdict(payments_chart(told, picked)), asdict(reasons_chart(told.now, picked))],
        "clients": clients.top(picked.range, picked.now, assets),
        "summary": found["summary"],
        "payments": told.now.decided,
        "events": found["events"],
    }
