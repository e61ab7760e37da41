"""How many payments came to what in a window and the one before it: read off the figures, never off payments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ops.windows import DAY, HOUR, MINUTE, Range, Window, floor

# What gives money back: it settles, and is no success of its own.
BACK = frozenset({"refund", "reversal"})
_READ = """
    SELECT w.before, date_bin(%(step)s, f.begins_at + w.shift, '2000-01-01 00:00+00'), f.kind, f.asset, f.outcome,
           f.code, sum(f.payments)::bigint, sum(f.amount)
      FROM unnest(%(before)s::bool[], %(shifts)s::interval[], %(spans)s::text[], %(begins)s::timestamptz[],
                  %(ends)s::timestamptz[]) AS w (before, shift, span, begins, ends)
     -- Part by part, off the key: how few rows a part has, the planner does not know.
     CROSS JOIN LATERAL (
           SELECT * FROM payment_figures p WHERE p.span = w.span AND p.begins_at >= w.begins AND p.begins_at < w.ends
           OFFSET 0) AS f
     WHERE f.outcome IN ('settled', 'failed') AND (%(assets)s::text[] IS NULL OR f.asset = ANY(%(assets)s))
     GROUP BY 1, 2, 3, 4, 5, 6
"""


@dataclass(slots=True)
class Figures:
    """Payments of a time that settled, gave back, or failed; ``moved`` is what settled, in minor units by asset."""

    settled: int = 0
    given_back: int = 0
    failed: int = 0
    moved: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def decided(self) -> int:
        return self.settled + self.failed

    @property
    def success(self) -> float | None:
        """The part of payments that settled; None where there were none."""
        return self.settled / self.decided if self.decided else None


@dataclass(slots=True)
class Told:
    """A window's figures, those of the window before, and those of each bucket."""

    now: Figures
    before: Figures
    buckets: dict[datetime, Figures]


def read(chosen: Range, now: datetime, assets: Sequence[str] | None = None) -> Told:
    """Read the figures of a range up to now; of some assets, or of all."""
    window = chosen.window(now)
    earlier = Window(window.begins - chosen.length, window.ends - chosen.length)
    parts = [
        (before, chosen.length if before else timedelta(0), *part)
        for before, one in ((False, window), (True, earlier))
        for part in _parts(one, chosen)
    ]
    before, shifts, spans, begins, ends = (list(column) for column in zip(*parts, strict=True))
    told = Told(Figures(), Figures(), {moment: Figures() for moment in chosen.buckets(now)})
    with connection.cursor() as cursor:
        parameters: dict[str, Any] = {
            "step": chosen.step, "before": before, "shifts": shifts, "spans": spans, "begins": begins, "ends": ends,
            "assets": None if assets is None else list(assets),
        }  # fmt: skip
        cursor.execute(_READ, parameters)
        for is_before, bucket, kind, asset, outcome, code, payments, amount in cursor.fetchall():
            for figures in [told.before] if is_before else [told.now, told.buckets[bucket]]:
                _add(figures, kind, asset, outcome, code, payments, int(amount))
    return told


def _add(figures: Figures, kind: str, asset: str, outcome: str, code: str, payments: int, amount: int) -> None:
    if outcome == "failed":
        figures.failed += payments
        figures.codes[code] += payments
    elif kind in BACK:
        figures.given_back += payments
    else:
        figures.settled += payments
        figures.moved[asset] += amount


def _parts(window: Window, chosen: Range) -> Iterator[tuple[str, datetime, datetime]]:
    """Cut a window into days, hours and minutes, as coarse as may be: the figures of a span are read span by span."""
    begins = window.begins
    for span, length in (("day", DAY), ("hour", HOUR), ("minute", MINUTE)):
        if length <= chosen.step and begins < (ends := floor(window.ends, length)):
            yield span, begins, ends
            begins = ends
    yield "minute", begins, window.ends
