"""How failures went over time, and with what a rise of them began."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from ops.failures.analysis import Chosen
from ops.failures.models import FailedPayment
from ops.windows import HOUR, WEEK, Window, floor

# A rise is so many times what was usual in the hours before, and so many payments at least.
USUAL_HOURS, TIMES, AT_LEAST = 24, 3, 10
# With so many payments a rise began; what at least this part of them shares is worth telling.
FIRST, SHARED = 50, 0.5
_COUNTS = """
    SELECT w.before, date_bin(%(step)s, f.failed_at + w.shift, '2000-01-01 00:00+00'), count(*)
      FROM (VALUES (false, interval '0', %(lead)s), (true, %(week)s, interval '0')) AS w (before, shift, lead)
      JOIN failure_payments f ON f.failed_at >= %(begins)s - w.shift - w.lead AND f.failed_at < %(upto)s - w.shift
                             AND (w.before OR f.failed_at < %(ends)s) {chosen}
     GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Trend:
    """Failures of each step: of the window and some time before it, and of the same a week before, moved here."""

    now: Mapping[datetime, int]
    week_before: Mapping[datetime, int]

    def within(self, begins: datetime, ends: datetime) -> tuple[int, int]:
        """Return how many there were in a time, and a week before."""
        return tuple(  # type: ignore[return-value]
            sum(count for moment, count in counts.items() if begins <= moment < ends)
            for counts in (self.now, self.week_before)
        )


@dataclass(frozen=True, slots=True)
class Rise:
    """The hour in which failures rose, how many it had, and how many an hour had before."""

    hour: datetime
    failures: int
    usual: float


@dataclass(frozen=True, slots=True)
class Shared:
    """What most of the first payments of a rise have in common: ``count`` of ``of`` have this key of a dimension."""

    dimension: str
    key: str
    count: int
    of: int


def trend(*, window: Window, step: timedelta, chosen: Chosen, upto: datetime) -> Trend:
    """
    Count failures by steps of a minute or an hour, from ``USUAL_HOURS`` before the window on.

    The week before is counted up to ``upto``, so that a bucket that is not over has all of its own to compare with.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS.format(chosen=chosen.sql()),
            chosen.parameters()
            | {"step": step, "lead": USUAL_HOURS * HOUR, "week": WEEK}
            | {"begins": window.begins, "ends": window.ends, "upto": upto},
        )
        rows: Sequence[tuple[bool, datetime, int]] = cursor.fetchall()
    return Trend(
        {moment: count for before, moment, count in rows if not before},
        {moment: count for before, moment, count in rows if before},
    )


def rise(hours: Mapping[datetime, int], window: Window) -> Rise | None:
    """Return where the window's greatest rise began; None where there was none."""
    found: list[Rise] = []
    hour = floor(window.begins, HOUR)
    while hour < window.ends:
        usual = sum(hours.get(hour - back * HOUR, 0) for back in range(1, USUAL_HOURS + 1)) / USUAL_HOURS
        failures = hours.get(hour, 0)
        if failures >= max(AT_LEAST, TIMES * usual):
            found.append(Rise(hour, failures, usual))
        hour += HOUR
    if not found:
        return None
    place = max(range(len(found)), key=lambda place: found[place].failures - found[place].usual)
    while place > 0 and found[place - 1].hour == found[place].hour - HOUR:
        place -= 1
    return found[place]


def began_with(risen: Rise, chosen: Chosen) -> tuple[list[Shared], list[FailedPayment]]:
    """Return what the first payments of a rise share, the most common first, and these payments."""
    first = list(
        chosen.rows()
        .filter(failed_at__gte=risen.hour, failed_at__lt=risen.hour + HOUR)
        .order_by("failed_at", "pk")[:FIRST]
    )
    shared = []
    told = {"code": chosen.code, "client_id": chosen.client, "wallet_id": chosen.wallet, "asset": chosen.assets}
    # That they share what they were chosen by is no news.
    for column in (column for column, chosen_by in told.items() if chosen_by is None):
        dimension = column.removesuffix("_id")
        values: Counter[Any] = Counter(getattr(one, column) for one in first if getattr(one, column) is not None)
        for value, count in values.most_common(1):
            if count >= SHARED * len(first):
                shared.append(Shared(dimension, str(value), count, len(first)))
    return sorted(shared, key=lambda one: -one.count), first
