"""What measuring comes to, and when a value is one to alert about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ops.alerts.models import AlertConfiguration

STEP = timedelta(minutes=5)
# Of units that are counted: what one is called.
ONE = {
    "deliveries": "delivery", "findings": "finding", "holds": "hold", "intervals": "interval", "jobs": "job",
    "requests": "request", "times": "time",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a rule finds about one ``subject`` of its own ("" where it has one only), with words for people.

    ``volume`` is how many it is a figure of, where a few would mean nothing; ``about`` names a row that a page shows.
    """

    value: Decimal
    title: str
    detail: str = ""
    subject: str = ""
    volume: int = 0
    asset: str = ""
    about: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class Point:
    """What a rule would have found at a moment."""

    at: datetime
    value: Decimal
    volume: int = 0


Read = Callable[[AlertConfiguration, datetime], list[Reading]]
# Of each subject a point for each evaluation of a span, oldest first; the rule need not be saved.
History = Callable[[AlertConfiguration, datetime, datetime], dict[str, list[Point]]]


@dataclass(frozen=True, slots=True)
class AlertType:
    """
    Something that can be alerted about. ``unit`` is that of the threshold.

    A rule has a window, a minimum volume, an asset only where its type says so. ``below``: the value must not fall
    under the threshold; all others must not reach it. ``most`` is the highest value that can be. Without a
    ``history`` previews go by what was measured.
    """

    name: str
    title: str
    unit: str
    measures: str
    runbook: str
    read: Read
    history: History | None = None
    has_window: bool = False
    has_volume: bool = False
    has_asset: bool = False
    below: bool = False
    most: Decimal | None = None

    def breached(self, rule: AlertConfiguration, value: Decimal, volume: int) -> bool:
        if self.has_volume and volume < rule.minimum_volume:
            return False
        return value < rule.threshold if self.below else value >= rule.threshold

    def told(self, value: Decimal, asset: str = "") -> str:
        """Return a value with its unit, as people read it."""
        unit = asset if self.unit == "amount" else self.unit
        return f"{plain(value)} {ONE.get(unit, unit) if value == 1 else unit}".strip()


def plain(value: Decimal) -> str:
    """Return a number as people read it: no exponent, no zeros at its end, thousands apart."""
    text = f"{value:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(many: int, one: str) -> str:
    """Return ``1 hold``, ``2 holds``."""
    return f"{many:,} {one}{'' if many == 1 else 's'}"


def share(part: int, whole: int) -> Decimal:
    """Return a percentage with one decimal; of nothing, 0."""
    return (Decimal(100 * part) / whole).quantize(Decimal("0.1")) if whole else Decimal(0)


def span_of(rule: AlertConfiguration, now: datetime) -> tuple[datetime, datetime]:
    """Return the window that ends now, in whole minutes."""
    until = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
    return until - timedelta(minutes=rule.window_minutes), until


def window_words(rule: AlertConfiguration, now: datetime) -> str:
    return f"in the {rule.window_minutes} minutes until {now:%H:%M} UTC"
