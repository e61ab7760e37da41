"""Windows that slide over counts of five minutes: what evaluations of the past would have seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise

from ops.alerts.models import AlertConfiguration
from ops.alerts.reading import STEP

Counts = Mapping[datetime, tuple[int, ...]]
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
# In SQL: the five minutes that a column's moment is in.
BUCKET = "date_bin('5 minutes', {}, TIMESTAMPTZ '2000-01-01 00:00:00Z')"


def floor(moment: datetime) -> datetime:
    return ORIGIN + (moment - ORIGIN) // STEP * STEP


def ticks(since: datetime, until: datetime) -> list[datetime]:
    """The evaluations of a span."""
    first = floor(since)
    return [first + STEP * number for number in range(1, (floor(until) - first) // STEP + 1)]


def steps_of(rule: AlertConfiguration) -> int:
    """How many times five minutes a rule's window is, rounded up."""
    return max(-(-rule.window_minutes // 5), 1)


def slid(counts: Counts, steps: int, since: datetime, until: datetime, width: int) -> dict[datetime, tuple[int, ...]]:
    """Return, for each evaluation, the sums of the window that ends then; ``width`` numbers are counted together."""
    first = floor(since) - STEP * (steps - 1)
    totals = [(0,) * width]
    moments = [first + STEP * number for number in range((floor(until) - first) // STEP)]
    for moment in moments:
        totals.append(tuple(map(sum, zip(totals[-1], counts.get(moment, (0,) * width), strict=True))))
    return {
        tick: tuple(after - before for before, after in zip(totals[number], totals[number + steps], strict=True))
        for number, tick in enumerate(ticks(since, until))
    }


def gaps(moments: list[datetime]) -> int:
    """How many times a run of evaluations is interrupted."""
    return sum(later - earlier > STEP for earlier, later in pairwise(moments))
