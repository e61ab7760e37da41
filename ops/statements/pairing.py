"""
Decide which lines and entries are the same movement: pure, and the same answer for the same input in any order.

The surest rule comes first, and what one rule has paired no later one looks at again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar
from uuid import UUID

from ops.statements.combining import Budget, only_sum
from ops.statements.models import StatementMatch

Rule = StatementMatch.Rule
# Of so many lines or entries together at most, unless they are all of a day.
MOST_CANDIDATES = 16


@dataclass(frozen=True, slots=True)
class Movement:
    """A line, or an entry as the outside sees it. ``order`` settles what nothing else does."""

    id: UUID
    day: date
    direction: str
    amount: int
    order: tuple[int, int] = (0, 0)

    @property
    def key(self) -> tuple[date, tuple[int, int], UUID]:
        return self.day, self.order, self.id

    @property
    def change(self) -> int:
        return self.amount if self.direction == "CREDIT" else -self.amount


@dataclass(frozen=True, slots=True)
class Pairing:
    """``difference``: what the lines have more than the entries, as the amounts are."""

    lines: tuple[Movement, ...]
    entries: tuple[Movement, ...]
    rule: str
    confidence: int
    reason: str

    @property
    def difference(self) -> int:
        return sum(line.change for line in self.lines) - sum(entry.change for entry in self.entries)


Many = TypeVar("Many", bound=Movement)


@dataclass(slots=True)
class Pairer:
    """
    ``named`` are the entries that a line's reference names, of whatever day. Such a line is paired with no other
    entry, and such an entry with no other line; there may be none left to pair.

    ``tolerance`` is in minor units, ``window`` in days.
    """

    named: Mapping[UUID, Sequence[Movement]]
    tolerance: int
    window: int
    found: list[Pairing] = field(default_factory=list)
    _lines: set[UUID] = field(default_factory=set)
    _entries: set[UUID] = field(default_factory=set)

    def pair(self, lines: Iterable[Movement], entries: Iterable[Movement]) -> list[Pairing]:
        ordered = sorted(lines, key=lambda line: line.key)
        self._by_reference(ordered, lambda line, entry: line.amount == entry.amount, Rule.REFERENCE, 100)
        if self.tolerance:
            self._by_reference(ordered, self._near, Rule.REFERENCE_NEAR, 90)
        self._several_by_reference(ordered)
        spoken_for = {entry.id for some in self.named.values() for entry in some}
        unnamed = [line for line in ordered if line.id not in self.named]
        inside = sorted((entry for entry in entries if entry.id not in spoken_for), key=lambda entry: entry.key)
        self._by_amount(unnamed, inside)
        if self.tolerance:
            self._by_near_amount(unnamed, inside)
        budget = Budget()
        self._several(unnamed, inside, self._lines, self._entries, Rule.SEVERAL_ENTRIES, budget)
        self._several(inside, unnamed, self._entries, self._lines, Rule.SEVERAL_LINES, budget)
        return self.found

    def _near(self, line: Movement, entry: Movement) -> bool:
        return abs(line.amount - entry.amount) <= self.tolerance

    def _by_reference(
        self, lines: list[Movement], fits: Callable[[Movement, Movement], bool], rule: str, confidence: int
    ) -> None:
        for line in lines:
            if line.id in self._lines:
                continue
            fitting = [
                entry for entry in self.named.get(line.id, ())
                if entry.id not in self._entries and entry.direction == line.direction and fits(line, entry)
            ]  # fmt: skip
            if fitting:
                entry = min(fitting, key=lambda entry: (_apart(line, entry), entry.key))
                off = abs(line.amount - entry.amount)
                reason = f"The reference names the payment; amounts are {off} apart" if off else (
                    "The reference names the payment, of the same amount"
                )  # fmt: skip
                self._take([line], [entry], rule, confidence, reason)

    def _several_by_reference(self, lines: list[Movement]) -> None:
        """Lines that all name one entry, and together come to its amount: it was paid in parts."""
        parts: dict[UUID, list[Movement]] = defaultdict(list)
        entries: dict[UUID, Movement] = {}
        for line in lines:
            named = [one for one in self.named.get(line.id, ()) if self._free(one) and one.direction == line.direction]
            if line.id not in self._lines and len(named) == 1:
                entries[named[0].id] = named[0]
                parts[named[0].id].append(line)
        for id, group in parts.items():
            if len(group) > 1 and sum(line.amount for line in group) == entries[id].amount:
                reason = f"The references name the payment, and come to its amount: {len(group)}"
                self._take(group, [entries[id]], Rule.SEVERAL_LINES, 95, reason)

    def _by_amount(self, lines: list[Movement], entries: list[Movement]) -> None:
        """The nearest days first, so that no pair is torn apart by one that is further off."""
        places: dict[tuple[str, int, date], list[Movement]] = defaultdict(list)
        for entry in entries:
            if entry.id not in self._entries:
                places[entry.direction, entry.amount, entry.day].append(entry)
        alike = _count(lines, self._lines)
        for apart in range(self.window + 1):
            for line in lines:
                if line.id in self._lines:
                    continue
                for day in _days(line.day, apart):
                    free = [one for one in places.get((line.direction, line.amount, day), ()) if self._free(one)]
                    if free:
                        others = max(len(free), alike[line.direction, line.amount])
                        self._take([line], [free[0]], Rule.AMOUNT, *_told(apart, others))
                        break

    def _by_near_amount(self, lines: list[Movement], entries: list[Movement]) -> None:
        free = sorted((one for one in entries if self._free(one)), key=lambda entry: (entry.amount, entry.key))
        amounts = [entry.amount for entry in free]
        for line in lines:
            if line.id in self._lines:
                continue
            begin = bisect_left(amounts, line.amount - self.tolerance)
            end = bisect_right(amounts, line.amount + self.tolerance)
            near = [
                entry for entry in free[begin:end]
                if self._free(entry) and entry.direction == line.direction and _apart(line, entry) <= self.window
            ]  # fmt: skip
            if near:
                entry = min(near, key=lambda one: (abs(one.amount - line.amount), _apart(line, one), one.key))
                confidence, reason = _told(_apart(line, entry), len(near))
                off = abs(line.amount - entry.amount)
                self._take([line], [entry], Rule.AMOUNT_NEAR, max(30, confidence - 20),
                           reason.replace("Same amount", f"Amounts {off} apart"))  # fmt: skip

    def _several(
        self, ones: list[Movement], many: list[Movement], ones_taken: set[UUID], many_taken: set[UUID], rule: str,
        budget: Budget,
    ) -> None:  # fmt: skip
        """One of ``ones`` is several of ``many``: all of a day, or the only few that come to its amount."""
        open_days = _OpenDays([each for each in many if each.id not in many_taken])
        for one in ones:
            if one.id in ones_taken:
                continue
            days = [day for apart in range(self.window + 1) for day in _days(one.day, apart)]
            group, confidence, reason = open_days.all_of_one(one, days), 75, "All of a day together"
            if not group:
                near = open_days.smaller(one, days, MOST_CANDIDATES)
                group = only_sum(one.amount, near, lambda each: each.amount, budget)
                confidence, reason = 50, "The only ones that come to the amount"
            if group:
                pair = ([one], group) if rule == Rule.SEVERAL_ENTRIES else (group, [one])
                self._take(*pair, rule, confidence, f"{reason}: {len(group)}")
                open_days.remove(group)

    def _free(self, entry: Movement) -> bool:
        return entry.id not in self._entries

    def _take(self, lines: list[Movement], entries: list[Movement], rule: str, confidence: int, reason: str) -> None:
        self._lines.update(line.id for line in lines)
        self._entries.update(entry.id for entry in entries)
        self.found.append(Pairing(tuple(lines), tuple(entries), rule, confidence, reason))


def _apart(line: Movement, entry: Movement) -> int:
    return abs((line.day - entry.day).days)


def _days(day: date, apart: int) -> list[date]:
    """The days that are so far off; what was booked before is told before what came after."""
    return [day - timedelta(days=apart), day + timedelta(days=apart)] if apart else [day]


def _told(apart: int, alike: int) -> tuple[int, str]:
    confidence = max(40, 85 - 5 * min(apart, 5) - (20 if alike > 1 else 0))
    when = "on the same day" if not apart else f"{apart} day{'s' if apart > 1 else ''} apart"
    return confidence, f"Same amount, {when}, " + (f"one of {alike} alike" if alike > 1 else "the only one")


def _count(lines: list[Movement], taken: set[UUID]) -> dict[tuple[str, int], int]:
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for line in lines:
        if line.id not in taken:
            counts[line.direction, line.amount] += 1
    return counts


class _OpenDays:
    """Movements by direction and day, with their sums, so that a day of many is not added up for each line."""

    def __init__(self, movements: list[Movement]) -> None:
        self._days: dict[tuple[str, date], list[Movement]] = defaultdict(list)
        self._totals: dict[tuple[str, date], int] = defaultdict(int)
        for one in movements:
            self._days[one.direction, one.day].append(one)
            self._totals[one.direction, one.day] += one.amount

    def all_of_one(self, one: Movement, days: list[date]) -> list[Movement]:
        """Return all of the first day, two or more, that come to the amount of ``one``."""
        for day in days:
            place = one.direction, day
            if self._totals.get(place) == one.amount and len(self._days[place]) > 1:
                return list(self._days[place])
        return []

    def smaller(self, one: Movement, days: list[date], most: int) -> list[Movement]:
        """Return those of these days that may be a part of ``one``: none where they are too many to be tried."""
        found: list[Movement] = []
        for day in days:
            for each in self._days.get((one.direction, day), ()):
                if each.amount < one.amount:
                    found.append(each)
                    if len(found) > most:
                        return []
        return found

    def remove(self, movements: Iterable[Movement]) -> None:
        for one in movements:
            place = one.direction, one.day
            self._days[place].remove(one)
            self._totals[place] -= one.amount
