"""The time ranges that pages of the console are about: chosen in the address, cut into buckets for charts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEEK = timedelta(days=7)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """From ``begins`` on, before ``ends``. The window before it is ``shift`` earlier; its own length, where None."""

    begins: datetime
    ends: datetime
    shift: timedelta | None = None

    @property
    def earlier(self) -> timedelta:
        return self.shift or self.ends - self.begins


@dataclass(frozen=True, slots=True)
class Range:
    """A range up to now. ``step`` is a bucket's length; ``words`` say it within a sentence."""

    name: str
    words: str
    length: timedelta
    step: timedelta

    def window(self, now: datetime) -> Window:
        """Return whole buckets, the last of which is not over: it ends now."""
        begins = floor(now, self.step) + self.step - self.length
        return Window(begins, now, self.length)

    def buckets(self, now: datetime) -> list[datetime]:
        """Return when each bucket of the window begins."""
        return list(steps(self.window(now), self.step))

    def label(self, moment: datetime) -> str:
        """A bucket's name on an axis, in UTC."""
        moment = moment.astimezone(UTC)
        if self.step < DAY and self.length <= DAY:
            return f"{moment:%H:%M}"
        return f"{moment:%d %b}" if self.step == DAY else f"{moment:%d %b %H:%M}"


RANGES = {
    one.name: one
    for one in (
        Range("1h", "hour", HOUR, MINUTE),
        Range("24h", "24 hours", DAY, HOUR),
        Range("7d", "7 days", WEEK, 6 * HOUR),
        Range("30d", "30 days", 30 * DAY, DAY),
    )
}
USUAL = RANGES["24h"]


def floor(moment: datetime, step: timedelta) -> datetime:
    """Return the last whole step (in UTC) at or before a moment."""
    return moment - (moment - _EPOCH) % step


def steps(window: Window, step: timedelta) -> Iterator[datetime]:
    moment = window.begins
    while moment < window.ends:
        yield moment
        moment += step
