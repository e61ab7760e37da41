"""
What a statement's file comes to when it is read, and how strictly its parts are taken.

A file is read whole or refused with the place that is wrong; nothing is guessed, rounded or cut short in silence.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from ledger.money import MAX_AMOUNT, to_minor, to_text
from ops.approvals.refusing import Refused

MOST_BYTES = 20 * 1024 * 1024
MOST_LINES = 100_000
LONGEST_REFERENCE, LONGEST_TEXT = 140, 500
# Where it is tomorrow already.
AHEAD = timedelta(days=1)
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,8})?")


class Unreadable(Refused):
    """A file is not taken: what is wrong with it, and where."""

    def __init__(self, detail: str, place: str = "") -> None:
        super().__init__("invalid", f"{place}: {detail}" if place else detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLine:
    """A line as it was read; ``amount`` in minor units, ``direction`` as outside."""

    number: int
    booked_on: date
    direction: str
    amount: int
    reference: str = ""
    bank_reference: str = ""
    counterparty: str = ""
    text: str = ""
    is_reversal: bool = False

    @property
    def change(self) -> int:
        return self.amount if self.direction == "CREDIT" else -self.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadStatement:
    number: str
    begins_on: date
    ends_on: date
    lines: list[ReadLine]
    opening: int | None = None
    closing: int | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file must be of: the asset, the account where that is known, and no later than ``today``."""

    asset: str
    scale: int
    today: date
    identifier: str = ""


def read_amount(text: str, expected: Expected, place: str) -> int:
    """
    Return a positive amount in minor units: digits and a point, no sign, no exponent.

    :raises Unreadable: for anything else, 0, too much, or more decimals than the asset has
    """
    if not _AMOUNT.fullmatch(text):
        raise Unreadable(f"{shown(text)} is not an amount.", place)
    minor = to_minor(Decimal(text), expected.scale)
    if minor is None:
        raise Unreadable(f"{text} has more decimals than {expected.asset}, which has {expected.scale}.", place)
    if not 0 < minor <= MAX_AMOUNT:
        raise Unreadable(f"{text} is no amount that can have moved.", place)
    return minor


def read_asset(code: str, expected: Expected, place: str) -> None:
    """:raises Unreadable: where it is another asset's"""
    if code != expected.asset:
        raise Unreadable(f"The currency is {shown(code)}, and this source is of {expected.asset}.", place)


def read_text(text: str, most: int, what: str, place: str) -> str:
    """
    Return a text on one line.

    :raises Unreadable: where it is longer than ``most``, or has control characters in it
    """
    plain = " ".join(text.split())
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in plain):
        raise Unreadable(f"The {what} has control characters in it.", place)
    if len(plain) > most:
        raise Unreadable(f"The {what} is longer than {most} characters.", place)
    return plain


def check_day(day: date, expected: Expected, place: str) -> date:
    """:raises Unreadable: where the day has not come yet, or is of another age"""
    if day > expected.today + AHEAD:
        raise Unreadable(f"{day} is in the future.", place)
    if day.year < 2000:
        raise Unreadable(f"{day} is too long ago.", place)
    return day


def check_lines(lines: list[ReadLine], name: str = "Line") -> None:
    """:raises Unreadable: where a reference of the bank's comes twice"""
    seen: dict[str, ReadLine] = {}
    for line in lines:
        first = seen.setdefault(line.bank_reference, line) if line.bank_reference else line
        if first is not line:
            where = f"{name.lower()} {first.number}"
            raise Unreadable(
                f"The bank's reference {shown(line.bank_reference)} was on {where} already.", f"{name} {line.number}"
            )


def check_balances(opening: int, closing: int, lines: list[ReadLine], expected: Expected, place: str) -> None:
    """:raises Unreadable: where opening and lines do not come to closing"""
    comes_to = opening + sum(line.change for line in lines)
    if comes_to != closing:
        said, comes = to_text(closing, expected.scale), to_text(comes_to, expected.scale)
        raise Unreadable(f"The closing balance is {said}, but the opening one and the entries come to {comes}.", place)


def shown(text: str) -> str:
    """A text out of a file as an error may quote it."""
    return repr(text if len(text) <= 40 else text[:40] + "…")
