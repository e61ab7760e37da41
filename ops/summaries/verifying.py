"""
Nothing is told that the facts do not say: every number, date, name and direction of a text is looked for among them.

What is meant is not understood here. A claim is taken apart into words and figures, and each has to be found in the
facts that this very claim cites. So a text may be thrown away that was true; the template then tells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from decimal import Decimal

from ops.summaries.facts import CLOCK, PERCENT, Fact, Facts
from ops.summaries.stories import CLAIM, TITLE, Story
from ops.summaries.words import (
    ADDRESSING,
    COMMANDS,
    DOWN,
    FORMER,
    MEASURES,
    MONTHS,
    NEUTRAL,
    NUMBERS,
    SAME,
    UNITS,
    UP,
    VAGUE,
    WEEKDAYS,
)  # fmt: skip

LONGEST_WORD = 24
# Neither markup nor a path, an address, a character that only looks like another, or a denial cut short (didn't).
_PLAIN = re.compile(r"[A-Za-z0-9 .,;:()%\"-]+")
_RUN_ON = re.compile(r"[A-Za-z]\.[A-Za-z]")
_WORD = re.compile(r"[A-Za-z]+")
_BEGINNING = "and|then|or|so|but|now|to|just|simply|quickly|promptly|instead|next|finally"
_CLAUSE = re.compile(rf"(?:^|[.,;:()\"-]|\b(?:{_BEGINNING})\b)(?=\s*([A-Za-z]+))")
_TOKEN = re.compile(r"[0-9A-Za-z]+(?:[.,:-][0-9A-Za-z]+)*")
_NUMBER = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_TIME = re.compile(r"\d\d:\d\d")
_ISO_DATE = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_MONTH = rf"\b({'|'.join(MONTHS)})\b"
_DAY_MONTH = re.compile(rf"(?<![\d.,])(\d{{1,2}})(?: of)? {_MONTH}(?:\.? (\d{{4}})\b)?", re.I)
_MONTH_DAY = re.compile(rf"{_MONTH}\.? (\d{{1,2}})(?:, (\d{{4}}))?\b", re.I)
# What looks like a date and counts: 24 November payments; in November 24 payments; failed: 24. November was calm.
_NO_DAY = re.compile(
    rf"(?:^|[.;:] )\d{{1,2}}(?: of)? {_MONTH}\.? [a-z]"
    rf"|\bin {_MONTH}\.? \d{{1,2}}\b(?!, \d{{4}})"
    rf"|\b\d{{1,2}}\. {_MONTH}",
    re.I,
)
_PERCENT = re.compile(r"(?<=\d) ?(?:%|percent\b|per cent\b)")
_FOLD = re.compile(r"[a-z]+fold(?:s|ed|ing)?")
_NAME = re.compile(r"\b(wallet|client) ([A-Z])\b", re.I)
_SHOUTED = re.compile(r"\b[A-Z]{2,}\b")
Figure = tuple[Decimal, str]


class Unfit(Exception):
    """The text is not plain: markup, a link, a call to act, a word or length out of bounds."""


class Untrue(Exception):
    """The text says what the cited facts do not."""


def verify(story: Story, facts: Facts) -> None:
    """
    Pass a story that says what the facts say, in plain words.

    :raises Unfit:
    :raises Untrue:
    """
    known = facts.by_key()
    cited = []
    for claim in story.claims:
        if set(claim.facts) - known.keys():
            raise Untrue("a fact is cited that is not there")
        behind = [known[key] for key in claim.facts]
        _check(claim.text, CLAIM, behind, facts)
        cited += behind
    _check(story.title, TITLE, cited, facts)


def _check(text: str, bounds: tuple[int, int], cited: list[Fact], facts: Facts) -> None:
    _check_plain(text, bounds, facts)
    rest = _without_dates(text, facts)
    _check_figures(rest, cited, facts)
    _check_units(rest, facts)
    _check_words(_without_units(rest, facts), cited, facts)


def _check_plain(text: str, bounds: tuple[int, int], facts: Facts) -> None:
    if not bounds[0] <= len(text) <= bounds[1]:
        raise Unfit(f"{len(text)} characters")
    if text != text.strip() or "  " in text or not _PLAIN.fullmatch(text):
        raise Unfit("characters that plain text does not need")
    if _RUN_ON.search(text):
        raise Unfit("what may be an address")
    units = {fact.unit for fact in facts}
    for shouted in _SHOUTED.findall(text):
        if shouted not in units:
            raise Unfit(f"the word {_quoted(shouted)}")
    for word in _words(_without_units(text, facts)):
        if len(word) > LONGEST_WORD or word in ADDRESSING:
            raise Unfit(f"the word {_quoted(word)}")
    # A label is no call, whatever it begins with.
    lower = text.lower()
    for fact in facts:
        lower = lower.replace(fact.label, "it")
    for first in _CLAUSE.findall(lower):
        if first in COMMANDS:
            raise Unfit(f"a call to {_quoted(first)}")


def _without_dates(text: str, facts: Facts) -> str:
    """
    Return the text with its dates taken out.

    :raises Untrue: for a date, month or weekday that is not of the window
    """
    window = facts.window
    last = (window.ends_at - timedelta(microseconds=1)).date()
    days = [window.begins_at.date() + timedelta(days=n) for n in range((last - window.begins_at.date()).days + 1)]
    allowed = {*days, window.ends_at.date()}

    def taken_out(year: str | None, month: int, day: str) -> str:
        for one in allowed:
            if (one.month, one.day) == (month, int(day)) and (year is None or one.year == int(year)):
                return "(date)"
        raise Untrue(f"the day {day} of month {month} is not in the window")

    if counted := _NO_DAY.search(text):
        raise Untrue(f"{_quoted(counted[0])} may be a day or a number")
    text = _ISO_DATE.sub(lambda m: taken_out(m[1], int(m[2]), m[3]), text)
    text = _DAY_MONTH.sub(lambda m: taken_out(m[3], MONTHS[m[2].lower()] + 1, m[1]), text)
    text = _MONTH_DAY.sub(lambda m: taken_out(m[3], MONTHS[m[1].lower()] + 1, m[2]), text)
    for word in _words(_without_units(text, facts)):
        if word in WEEKDAYS and WEEKDAYS[word] not in {day.weekday() for day in days}:
            raise Untrue(f"{word} is not in the window")
        # May is a verb as well.
        if word in MONTHS and word != "may" and MONTHS[word] + 1 not in {day.month for day in days}:
            raise Untrue(f"{word} is not in the window")
    return text


def _check_figures(text: str, cited: list[Fact], facts: Facts) -> None:
    """:raises Untrue: for a number, with its unit, that no cited fact has in this place"""
    now, former = set(_figures(cited)), {_figure(fact.before, fact.unit) for fact in cited if fact.before}
    times = {fact.value for fact in cited if fact.unit == CLOCK}
    times |= {f"{edge:%H:%M}" for edge in (facts.window.begins_at, facts.window.ends_at)}
    units = {fact.unit for fact in facts if fact.unit}
    end_of_last = None
    for token in _TOKEN.finditer(text):
        written, start, end = token[0], token.start(), token.end()
        if not any(character.isdigit() for character in written) or written in units:
            continue
        if _TIME.fullmatch(written):
            if written not in times:
                raise Untrue(f"the time {_quoted(written)} is not among the facts cited")
        elif not _NUMBER.fullmatch(written) or start == end_of_last or _signed(text, start):
            raise Untrue(f"{_quoted(written)} is not among the facts cited")
        else:
            unit, before = _unit(text, start, end, units)
            if _figure(written, unit) not in (former if before in FORMER else now):
                raise Untrue(f"the number {_quoted(written)} is not among the facts cited")
        # Digits that only a space parts would be read as one number.
        end_of_last = end + 1 if text[end : end + 1] == " " else None


def _figures(facts: Iterable[Fact]) -> Iterator[Figure]:
    """What the facts are, and by how many per cent they changed."""
    for fact in facts:
        if fact.unit != CLOCK:
            yield _figure(fact.value, fact.unit)
        if fact.change:
            yield _figure(fact.change, PERCENT)


def _figure(written: str, unit: str) -> Figure:
    return Decimal(written.replace(",", "")), unit


def _signed(text: str, start: int) -> bool:
    """Whether a number has a sign: no fact has one."""
    return text[start - 1 : start] in ("-", "+") if start else False


def _unit(text: str, start: int, end: int, units: set[str]) -> tuple[str, str]:
    """What a number is a number of (the unit behind it, or an asset before it, or ""), and the word before both."""
    before = re.findall(r"[A-Za-z0-9]+(?= )", text[:start])[-2:]
    if _PERCENT.match(text, end):
        unit = PERCENT
    else:
        behind = re.match(r" ([A-Za-z0-9]+)", text[end:])
        unit = behind[1] if behind and behind[1] in units else ""
        if not unit and before and before[-1] in units:
            unit = before.pop()
    return unit, before[-1].lower() if before else ""


def _without_units(text: str, facts: Facts) -> str:
    """The text without assets and other units: what their letters spell (T1DEC, NOT) is no word."""
    units = {fact.unit for fact in facts}
    return _TOKEN.sub(lambda token: "" if token[0] in units else token[0], text)


def _check_units(text: str, facts: Facts) -> None:
    """:raises Untrue: for a unit that no fact is told in, or a per cent apart from its number"""
    units = {fact.unit for fact in facts if fact.unit}
    text = _PERCENT.sub("", text)
    if "%" in text:
        raise Untrue("a per cent is apart from its number")
    tokens = ["", *(token[0] for token in _TOKEN.finditer(text)), ""]
    for before, written, behind in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if written in units:
            continue
        follows, precedes = before[-1:].isdigit(), behind[:1].isdigit()
        measures = follows and written.lower() in MEASURES
        misspelt = (follows or precedes) and written.upper() in units
        if measures or misspelt or not UNITS.isdisjoint(_words(written)):
            raise Untrue(f"no fact is told in {_quoted(written)}")


def _check_words(text: str, cited: list[Fact], facts: Facts) -> None:
    """:raises Untrue: for a number in words, a direction, an outcome or a name that no cited fact has"""
    counts = {_figure(fact.value, "")[0] for fact in cited if fact.unit != CLOCK}
    directions = {fact.direction for fact in cited}
    named = {fact.subject for fact in cited}
    told, possible = _label_words(cited), _label_words(facts)
    own = {word for fact in cited for word in _words(fact.label)}
    for word in _words(text):
        if word in own:
            continue
        if word in VAGUE or _FOLD.fullmatch(word) or (word in NUMBERS and Decimal(NUMBERS[word]) not in counts):
            raise Untrue(f"the word {_quoted(word)} is no figure of the facts cited")
        for wanted, words in (("up", UP), ("down", DOWN), ("same", SAME)):
            if word in words and wanted not in directions:
                raise Untrue(f"the facts cited do not say {_quoted(word)}")
        if word in possible - told:
            raise Untrue(f"the facts cited are not about {_quoted(word)}")
    for kind, letter in _NAME.findall(text):
        if f"{kind.lower()} {letter}" not in named:
            raise Untrue(f"the facts cited are not about {kind.lower()} {letter}")


def _label_words(facts: Iterable[Fact]) -> set[str]:
    return {word for fact in facts for word in _words(fact.label) if len(word) > 3} - NEUTRAL


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _quoted(text: str) -> str:
    return f"'{text[:40]}'"
