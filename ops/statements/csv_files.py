"""Read a CSV file as a source's mapping says."""

from __future__ import annotations

import csv
import io
import re
from datetime import date, datetime

from ops.statements.mapping import CsvMapping
from ops.statements.reading import (
    LONGEST_REFERENCE,
    LONGEST_TEXT,
    MOST_LINES,
    Expected,
    ReadLine,
    ReadStatement,
    Unreadable,
    check_day,
    check_lines,
    read_amount,
    read_asset,
    read_text,
    shown,
)

# What banks write of what came in; any case.
IN_WORDS = {"CRDT", "CREDIT", "CR", "C", "IN", "H", "HABEN", "+"}
_SIGNED = re.compile(r"([+-]?)(.*)", re.DOTALL)


def read_csv(content: bytes, mapping: CsvMapping, expected: Expected, *, number: str) -> ReadStatement:
    """
    Return the statement that a file is; it is named ``number``, and lines by their place in the file.

    :raises Unreadable: with the line that is wrong
    """
    rows = csv.reader(io.StringIO(_decoded(content, mapping.encoding), newline=""), delimiter=mapping.delimiter,
                      strict=True)  # fmt: skip
    lines: list[ReadLine] = []
    directions = _Directions(mapping.out_word)
    try:
        header = [name.strip() for name in next(rows, [])]
        _check_header(header, mapping)
        for cells in rows:
            place = f"Line {rows.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                raise Unreadable(f"It has {len(cells)} cells, and the first line {len(header)}.", place)
            if len(lines) == MOST_LINES:
                raise Unreadable(f"A file has {MOST_LINES:,} lines at most.", place)
            row = dict(zip(header, cells, strict=True))
            if mapping.direction:
                directions.check(row[mapping.direction].strip(), place)
            lines.append(_line(row, mapping, expected, rows.line_num, place))
    except csv.Error as error:
        raise Unreadable(f"{str(error).capitalize()}.", f"Line {rows.line_num}") from error
    if not lines:
        raise Unreadable("There is no line in the file.")
    directions.check_other()
    check_lines(lines)
    days = [line.booked_on for line in lines]
    return ReadStatement(number=number, begins_on=min(days), ends_on=max(days), lines=lines)


def _decoded(content: bytes, encoding: str) -> str:
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        text = content.decode(name)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"That is no {encoding.upper()}.", f"Line {line}") from error
    if "\0" in text:
        raise Unreadable("There are zero bytes in it.", f"Line {text.count(chr(10), 0, text.index(chr(0))) + 1}")
    return text


def _check_header(header: list[str], mapping: CsvMapping) -> None:
    if missing := [name for name in mapping.columns if name not in header]:
        raise Unreadable(f"There is no column {', '.join(map(repr, missing))}.", "Line 1")
    if twice := [name for name in mapping.columns if header.count(name) > 1]:
        raise Unreadable(f"The column {twice[0]!r} is there twice.", "Line 1")


def _line(row: dict[str, str], mapping: CsvMapping, expected: Expected, number: int, place: str) -> ReadLine:
    def text(column: str, most: int, what: str) -> str:
        return read_text(row[column], most, what, place) if column else ""

    if mapping.currency:
        read_asset(row[mapping.currency].strip(), expected, place)
    direction, amount = _movement(row, mapping, place)
    return ReadLine(
        number=number,
        booked_on=check_day(_day(row[mapping.day].strip(), mapping.date_format, place), expected, place),
        direction=direction,
        amount=read_amount(_plain(amount, mapping, place), expected, place),
        reference=text(mapping.reference, LONGEST_REFERENCE, "reference"),
        bank_reference=text(mapping.bank_reference, LONGEST_REFERENCE, "bank's reference"),
        counterparty=text(mapping.counterparty, LONGEST_REFERENCE, "counterparty"),
        text=text(mapping.text, LONGEST_TEXT, "text"),
    )


class _Directions:
    """
    The words of a column of directions: ``out_word``, and one other, which is what came in.

    The other word is known, or the file has ``out_word`` too: where it has not, what went out may only be written in
    another way than the mapping says, and all of it would be taken for what came in.
    """

    def __init__(self, out_word: str) -> None:
        self.out_word, self.went_out = out_word, False
        self.other, self.place = "", ""

    def check(self, word: str, place: str) -> None:
        """:raises Unreadable: where it is neither the word for what went out nor the one other"""
        if word == self.out_word:
            self.went_out = True
            return
        if word.casefold() in ("", self.out_word.casefold()) or (self.other and word != self.other):
            raise Unreadable(f"The direction {shown(word)} is neither what went out ({self.out_word}) nor in.", place)
        if not self.other:
            self.other, self.place = word, place

    def check_other(self) -> None:
        """:raises Unreadable: where the other word may mean what went out as well as what came in"""
        if self.other and not self.went_out and self.other.upper() not in IN_WORDS:
            raise Unreadable(
                f"The direction {shown(self.other)} is not known to mean in, and no line says {self.out_word}, which "
                "is the mapping's out.",
                self.place,
            )


def _movement(row: dict[str, str], mapping: CsvMapping, place: str) -> tuple[str, str]:
    """Return the direction, and the amount without a sign as it is written."""
    if mapping.amount_in:
        came, went = row[mapping.amount_in].strip(), row[mapping.amount_out].strip()
        if bool(came) == bool(went):
            raise Unreadable("Something came in or went out: one of the two amounts is there.", place)
        return ("CREDIT", came) if came else ("DEBIT", went)
    if mapping.direction:
        is_out = row[mapping.direction].strip() == mapping.out_word
        return "DEBIT" if is_out else "CREDIT", row[mapping.amount].strip()
    found = _SIGNED.fullmatch(row[mapping.amount].strip())
    assert found is not None  # it takes any text
    return "DEBIT" if found[1] == "-" else "CREDIT", found[2]


def _plain(amount: str, mapping: CsvMapping, place: str) -> str:
    """An amount with a point and no groups; groups are of three digits, or it is no amount."""
    whole, point, rest = amount.partition(mapping.point)
    if mapping.groups and mapping.groups in whole:
        if not re.fullmatch(rf"[0-9]{{1,3}}({re.escape(mapping.groups)}[0-9]{{3}})+", whole):
            raise Unreadable(f"{shown(amount)} is not an amount.", place)
        whole = whole.replace(mapping.groups, "")
    if mapping.point != "." and "." in whole + rest:
        raise Unreadable(f"{shown(amount)} is not an amount.", place)
    return f"{whole}.{rest}" if point else whole


def _day(text: str, date_format: str, place: str) -> date:
    """Return a day; zeros may be left out only where separators tell its parts from each other."""
    try:
        day = datetime.strptime(text, date_format).date()  # noqa: DTZ007 (a day has no time zone)
        separated = not date_format.replace("%", "").isalpha()
        # Python's takes digits of every script.
        if not text.isascii() or not (separated or day.strftime(date_format) == text):
            raise ValueError
        return day
    except ValueError as error:
        raise Unreadable(f"{shown(text)} is not a day as the mapping has it.", place) from error
