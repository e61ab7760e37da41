"""
Facts: figures with the very spelling in which they may be told, where they are shown, and what they were before.

What is told of the platform is told of these and of nothing else. A fact is made of counts, amounts, asset codes and
words of our own: no text that a customer, a client or a colleague wrote ever gets into one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any
from uuid import UUID

from ledger.money import to_text
from ops.summaries.windows import Window

TENTH = Decimal("0.1")
PERCENT, CLOCK = "%", "UTC"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Fact:
    """
    ``label`` names the figure (payments settled), ``value`` is its text (1,204) and ``unit`` what is counted in: an
    asset, %, hours, seconds, UTC (a time of day), or "" where the label says it.

    ``before`` is the value in the window before, "" where there is none to compare with; ``change`` by how many per
    cent it went ``direction`` (up, down, same). ``subject`` is a pseudonym; ``link`` a page of the console.
    """

    key: str
    label: str
    value: str
    unit: str = ""
    before: str = ""
    change: str = ""
    direction: str = ""
    subject: str = ""
    link: str = ""

    def sent(self) -> dict[str, str]:
        """What the model is told of it: all that is there but the link."""
        return {name: text for name, text in asdict(self).items() if text and name != "link"}

    @property
    def shown(self) -> str:
        return f"{self.value} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a window; ``names`` are the ids that the pseudonyms stand for, with what they are of."""

    window: Window
    facts: list[Fact] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts)

    def by_key(self) -> dict[str, Fact]:
        return {fact.key: fact for fact in self.facts}

    def pseudonym(self, kind: str, id: UUID) -> str | None:
        """Return the name under which something is told (wallet A), always the same; None where they are used up."""
        for name, known in self.names.items():
            if known == str(id) and name.startswith(kind):
                return name
        used = sum(name.startswith(kind) for name in self.names)
        if used == len(LETTERS):
            return None
        name = f"{kind} {LETTERS[used]}"
        self.names[name] = str(id)
        return name

    def stored(self) -> dict[str, Any]:
        return {
            "begins_at": self.window.begins_at.isoformat(),
            "ends_at": self.window.ends_at.isoformat(),
            "facts": [asdict(fact) for fact in self.facts],
        }

    @staticmethod
    def read(stored: dict[str, Any], names: dict[str, str]) -> Facts:
        """Return what ``stored`` has put on record."""
        window = Window(datetime.fromisoformat(stored["begins_at"]), datetime.fromisoformat(stored["ends_at"]))
        return Facts(window, [Fact(**fact) for fact in stored["facts"]], dict(names))


def count(key: str, label: str, now: int, before: int | None = None, **more: str) -> Fact:
    return Fact(key, label, f"{now:,}", before=_text(before), **_change(now, before), **more)


def amount(key: str, label: str, now: int, before: int, asset: str, scale: int, **more: str) -> Fact:
    """A fact of minor units of an asset."""
    return Fact(
        key, label, grouped(now, scale), asset, before=grouped(before, scale), **_change(now, before), **more
    )  # fmt: skip


def share(key: str, label: str, now: tuple[int, int], before: tuple[int, int], **more: str) -> Fact | None:
    """A fact of how many per cent (part, whole) are; None where there is nothing to be a part of."""
    if not now[1]:
        return None
    was = _percent(*before) if before[1] else None
    direction = "" if was is None else _direction(_percent(*now), was)
    return Fact(key, label, str(_percent(*now)), PERCENT, before=_text(was), direction=direction, **more)


def grouped(minor: int, scale: int) -> str:
    """Minor units as a text with all decimals, and thousands apart: 1,234.50."""
    return f"{Decimal(to_text(minor, scale)):,f}"


def _text(value: Any) -> str:
    return "" if value is None else f"{value:,}"


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100 * part) / whole).quantize(TENTH, ROUND_HALF_EVEN)


def _change(now: int, before: int | None) -> dict[str, str]:
    if before is None:
        return {}
    change = f"{_percent(abs(now - before), before):,}" if before and now != before else ""
    return {"change": change, "direction": _direction(now, before)}


def _direction(now: Any, before: Any) -> str:
    return "same" if now == before else "up" if now > before else "down"
