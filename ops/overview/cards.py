"""Cards: a figure, what it was before, and where it leads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ledger.models import Asset
from ledger.money import to_text

NONE = "\N{EN DASH}"
Tone = Literal["", "good", "bad", "warn"]


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    figure: str
    small: str = ""
    note: str = ""
    tone: Tone = ""
    link: str = ""


def compared(now: float, before: float, words: str, *, better: Literal["more", "less", ""] = "") -> tuple[str, Tone]:
    """Return in words how a figure has changed against the window before, and whether that is good."""
    if not before:
        return (f"none in the {words} before" if now else f"none in the {words} before either"), ""
    change = (now - before) / before
    if abs(change) < 0.0005:
        return f"as in the {words} before", ""
    text = f"{'▲' if change > 0 else '▼'} {percent(abs(change))} against the {words} before"
    if not better:
        return text, ""
    return text, "good" if (change > 0) == (better == "more") else "bad"


def percent(part: float) -> str:
    """A part of 1 as a person reads it: one decimal, and none from 100 % on."""
    digits = 0 if part >= 1 else 1
    return f"{part * 100:,.{digits}f}\N{NO-BREAK SPACE}%"


def change_since(now: int, before: int) -> str:
    """Say what has become of a figure since."""
    if not before:
        return "none then"
    if now == before:
        return "as many now"
    return f"{percent(abs(now - before) / before)} {'more' if now > before else 'fewer'} now"


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount with its thousands set apart, and the asset's code: on a card the code is smaller."""

    figure: str
    unit: str

    def __str__(self) -> str:
        return f"{self.figure}\N{NO-BREAK SPACE}{self.unit}"


def amount(minor: int, asset: Asset) -> Amount:
    return Amount(grouped(to_text(minor, asset.scale)), asset.code)


def listed(amounts: Sequence[Amount]) -> str:
    """Amounts in a row; of more than two, how many."""
    return ", ".join(map(str, amounts)) if len(amounts) < 3 else f"{len(amounts)} other assets"


def grouped(text: str) -> str:
    """An amount's text with its thousands set apart: ``1,234.50``."""
    whole, point, decimals = text.partition(".")
    sign = "-" if whole.startswith("-") else ""
    return f"{sign}{int(whole.removeprefix('-')):,}{point}{decimals}"


def number(value: int) -> str:
    return f"{value:,}"


def signed(part: float) -> str:
    """A change as a part of what was: ``+12.5 %``."""
    sign = "+" if part > 0 else "\N{MINUS SIGN}"
    return f"{sign}{percent(abs(part))}"
