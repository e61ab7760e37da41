"""The time that a summary is about: from a moment until before another, in whole minutes of UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.ids import EPOCH
from ops.models import PaymentFigure

LONGEST = timedelta(days=31)
# Figures by the minute are many: a window that begins or ends within an hour is short.
LONGEST_BY_MINUTE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Window:
    begins_at: datetime
    ends_at: datetime

    @property
    def length(self) -> timedelta:
        return self.ends_at - self.begins_at

    @property
    def before(self) -> Window:
        """The window that this one is compared with: as long, and ending where it begins."""
        return Window(self.begins_at - self.length, self.begins_at)

    @property
    def span(self) -> str:
        """The widest of the figures' spans of which the window is made."""
        edges = (self.begins_at, self.ends_at)
        if all((edge.hour, edge.minute) == (0, 0) for edge in edges):
            return PaymentFigure.Span.DAY
        if all(edge.minute == 0 for edge in edges):
            return PaymentFigure.Span.HOUR
        return PaymentFigure.Span.MINUTE

    def why_not(self) -> str:
        """Say what is wrong with the window; "" where nothing is."""
        if any((edge.second, edge.microsecond) != (0, 0) for edge in (self.begins_at, self.ends_at)):
            return "A window begins and ends at a whole minute."
        if self.begins_at >= self.ends_at:
            return "A window ends after it begins."
        # What happened is found by ids that tell the time since then, also in the window before.
        if self.begins_at - EPOCH < self.length:
            return "A window begins in 1970 or later, and so does the one before it."
        if self.length > LONGEST:
            return "A window has 31 days at most."
        if self.span == PaymentFigure.Span.MINUTE and self.length > LONGEST_BY_MINUTE:
            return "A window of more than 24 hours begins and ends at a whole hour."
        return ""


def day_before(now: datetime) -> Window:
    """The day, in UTC, that is over."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(today - timedelta(days=1), today)


def week_before(now: datetime) -> Window:
    """The week, from Monday in UTC, that is over."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    return Window(monday - timedelta(days=7), monday)
