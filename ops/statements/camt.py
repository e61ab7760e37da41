"""
Read a camt.053 file (ISO 20022, bank to customer statement), of version 02 or later.

Only what is booked counts. A reversal says itself in which direction it went. Where an entry is a batch, and each of
its transactions says what it is of, these are the lines and must add up to it; otherwise the entry is one line.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ledger.money import to_text
from ops.statements.reading import (
    LONGEST_REFERENCE,
    LONGEST_TEXT,
    MOST_LINES,
    Expected,
    ReadLine,
    ReadStatement,
    Unreadable,
    check_balances,
    check_day,
    check_lines,
    read_amount,
    read_asset,
    read_text,
    shown,
)

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.([0-9]{2})")
DEEPEST = 40
# With attributes: the longest file of plain entries has fewer, and each takes memory for as long as its statement does.
MOST_ELEMENTS = 1_500_000
PIECE = 1024 * 1024
DIRECTIONS = {"CRDT": "CREDIT", "DBIT": "DEBIT"}
OPENING, CLOSING = ("OPBD", "PRCD"), ("CLBD",)
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(Z|[+-][0-9]{2}:[0-9]{2})?")
# What banks write where there is none.
NOTHING = {"NOTPROVIDED", "NONREF", "NOTAVAILABLE"}


def read_camt(content: bytes, expected: Expected) -> list[ReadStatement]:
    """
    Return the statements of a file, with balances that are right.

    :raises Unreadable: with the statement and entry that is wrong
    """
    statements: list[ReadStatement] = []
    try:
        for statement in _statements(content):
            statements.append(_Reading(statement, expected).statement())
    except ParseError as error:
        raise Unreadable(
            f"That is no XML, or only its beginning ({error.msg}).", f"Line {error.position[0]}"
        ) from error
    except DefusedXmlException as error:
        raise Unreadable("A statement declares no document type and no entities.") from error
    except (LookupError, ValueError) as error:
        raise Unreadable("Its encoding is not one that is known.") from error
    if not statements:
        raise Unreadable("There is no statement in the file.")
    if sum(len(statement.lines) for statement in statements) > MOST_LINES:
        raise _too_many_lines()
    check_lines([line for statement in statements for line in statement.lines], "Entry")
    return statements


def _too_many_lines() -> Unreadable:
    return Unreadable(f"A file has {MOST_LINES:,} lines at most, be they entries or transactions.")


def _statements(content: bytes) -> Iterator[Element]:
    """Yield each Stmt as it is complete, with the names of its version taken off."""
    depth, namespace, bounds = 0, "", _Bounds()
    for event, element in iterparse(
        _Pieces(content), events=("start", "end"), forbid_dtd=True, forbid_entities=True, forbid_external=True
    ):
        if event == "start":
            depth += 1
            if depth == 1:
                namespace = _namespace(element.tag)
            bounds.check(element, element.tag.removeprefix(namespace), depth)
            continue
        depth -= 1
        if element.tag.startswith(namespace):
            element.tag = element.tag[len(namespace) :]
        if element.tag == "Stmt":
            yield element
            element.clear()
    if depth:
        raise Unreadable("The file ends before its statement does.")


def _namespace(root: str) -> str:
    space, _, name = root.removeprefix("{").partition("}")
    found = _NAMESPACE.fullmatch(space)
    if not found or name != "Document" or int(found[1]) < 2:
        raise Unreadable(f"That is no camt.053 of version 02 or later, but {shown(root)}.")
    return f"{{{space}}}"


class _Pieces(io.BytesIO):
    """
    A file as the parser is given it, in larger pieces than it asks for.

    Older parsers scan a tag or comment anew with each piece that does not end it: in small pieces, one as long as the
    file takes half a minute.
    """

    def read(self, size: int | None = PIECE, /) -> bytes:
        return super().read(max(size or 0, PIECE))


class _Bounds:
    """Refuses a file at the first element too many: the rest of it costs neither time nor memory."""

    def __init__(self) -> None:
        self.elements = 0
        self.lines = {"Ntry": 0, "TxDtls": 0}

    def check(self, element: Element, name: str, depth: int) -> None:
        """:raises Unreadable: where this element is the one too many, or too deep"""
        if depth > DEEPEST:
            raise Unreadable(f"Its elements are nested more than {DEEPEST} deep.")
        self.elements += 1 + len(element.keys())
        if self.elements > MOST_ELEMENTS:
            raise Unreadable(f"It has more than {MOST_ELEMENTS:,} elements and attributes.")
        if name in self.lines:
            self.lines[name] += 1
            if self.lines[name] > MOST_LINES:
                raise _too_many_lines()


class _Reading:
    """One Stmt on its way to a ``ReadStatement``."""

    def __init__(self, element: Element, expected: Expected) -> None:
        self.element, self.expected = element, expected
        self.number = read_text(_text(element, "Id"), 80, "statement's name", "A statement")
        self.place = f"Statement {self.number}"

    def statement(self) -> ReadStatement:
        if not self.number:
            raise Unreadable("A statement has no name (Id).")
        if _text(self.element, "StmtPgntn/LastPgInd") == "false":
            raise Unreadable("It is one page of several: only whole statements are taken.", self.place)
        self._check_account()
        lines = list(self._lines())
        opening, opened = self._balance(OPENING, "opening")
        closing, closed = self._balance(CLOSING, "closing")
        check_balances(opening, closing, lines, self.expected, self.place)
        days = [line.booked_on for line in lines] + [closed]
        return ReadStatement(
            number=self.number, begins_on=min(opened, *days), ends_on=max(days), lines=lines, opening=opening,
            closing=closing,
        )  # fmt: skip

    def _check_account(self) -> None:
        account = _text(self.element, "Acct/Id/IBAN") or _text(self.element, "Acct/Id/Othr/Id")
        if self.expected.identifier and account != self.expected.identifier:
            raise Unreadable(f"It is of the account {shown(account)}, not of this source's.", self.place)
        if currency := _text(self.element, "Acct/Ccy"):
            read_asset(currency, self.expected, self.place)

    def _balance(self, kinds: tuple[str, ...], name: str) -> tuple[int, date]:
        """Return a balance and its day: of the first of ``kinds`` that is there."""
        for kind in kinds:
            found = [one for one in self.element.findall("Bal") if _text(one, "Tp/CdOrPrtry/Cd") == kind]
            if len(found) > 1:
                raise Unreadable(f"It has two balances {kind}.", self.place)
            if found:
                place = f"{self.place}, {name} balance"
                direction = self._direction(found[0], place)
                text = _text(found[0], "Amt")
                # Nothing may be left of an account, though nothing never moves.
                empty = re.fullmatch(r"0+(\.0+)?", text)
                amount = 0 if empty else self._amount(found[0], place)
                day = check_day(self._day(found[0], "Dt", place), self.expected, place)
                # What was closed with before is of the day before: this statement says nothing of that one.
                opened = day + timedelta(days=1) if kind == "PRCD" else day
                return (amount if direction == "CREDIT" else -amount), opened
        raise Unreadable(f"It has no {name} balance ({' or '.join(kinds)}).", self.place)

    def _lines(self) -> Iterator[ReadLine]:
        number = 0
        for place, entry in enumerate(self.element.findall("Ntry"), start=1):
            at = f"{self.place}, entry {place}"
            if self._is_booked(entry, at):
                for line in self._of_entry(entry, at):
                    number += 1
                    yield ReadLine(number=number, **line)

    def _is_booked(self, entry: Element, place: str) -> bool:
        status = _text(entry, "Sts/Cd") or _text(entry, "Sts")
        if status not in ("BOOK", "PDNG", "INFO", "FUTR"):
            raise Unreadable(f"Its status is {shown(status)}.", place)
        return status == "BOOK"

    def _of_entry(self, entry: Element, place: str) -> list[dict[str, Any]]:
        """Return its lines; what the entry says for all its transactions is read once, however many they are."""
        direction, amount = self._direction(entry, place), self._amount(entry, place)
        whole = {
            "booked_on": check_day(self._day(entry, "BookgDt", place), self.expected, place),
            "direction": direction,
            "amount": amount,
            "bank_reference": _reference(_text(entry, "AcctSvcrRef"), place),
            "is_reversal": _flag(_text(entry, "RvslInd"), place),
            "text": _cut(_text(entry, "AddtlNtryInf")),
        }
        details = entry.findall("NtryDtls/TxDtls")
        said = _text(entry, "NtryDtls/Btch/NbOfTxs")
        if details and said and said != str(len(details)):
            raise Unreadable(f"The batch is of {shown(said)} transactions, and {len(details)} are there.", place)
        amounts = [self._detail_amount(one, f"{place}, transaction {n}") for n, one in enumerate(details, start=1)]
        if len(details) < 2 or None in amounts:
            return [whole | self._words(details[0] if len(details) == 1 else entry, whole, place)]
        return self._parts(whole, details, [one for one in amounts if one is not None], place)

    def _parts(
        self, whole: dict[str, Any], details: list[Element], amounts: list[int], place: str
    ) -> list[dict[str, Any]]:
        parts, total = [], 0
        for n, (detail, amount) in enumerate(zip(details, amounts, strict=True), start=1):
            at = f"{place}, transaction {n}"
            named = detail.find("CdtDbtInd") is not None
            direction = self._direction(detail, at) if named else whole["direction"]
            total += amount if direction == whole["direction"] else -amount
            own = _reference(_text(detail, "Refs/AcctSvcrRef"), at)
            above = whole["bank_reference"]
            own = own if own and own != above else f"{above}/{n}" if above else ""
            part = {"amount": amount, "direction": direction, "bank_reference": own}
            parts.append(whole | part | self._words(detail, whole, at))
        if total != whole["amount"]:
            said, comes = (to_text(one, self.expected.scale) for one in (whole["amount"], total))
            raise Unreadable(f"It is of {said}, and its transactions come to {comes}.", place)
        return parts

    def _words(self, source: Element, whole: dict[str, Any], place: str) -> dict[str, str]:
        """Return what a transaction says in words, or its entry (``whole``) where it has none of its own."""
        free = " ".join(one.text or "" for one in source.findall("RmtInf/Ustrd"))
        structured = _text(source, "RmtInf/Strd/CdtrRefInf/Ref")
        own = _reference(_text(source, "Refs/EndToEndId"), place)
        party = "Dbtr" if whole["direction"] == "CREDIT" else "Cdtr"
        who = _text(source, f"RltdPties/{party}/Pty/Nm") or _text(source, f"RltdPties/{party}/Nm")
        text = _cut(free or _text(source, "AddtlTxInf")) or whole["text"]
        return {
            "reference": own or _reference(structured, place),
            "counterparty": read_text(who, LONGEST_REFERENCE, "counterparty", place),
            "text": read_text(text, LONGEST_TEXT, "text", place),
        }

    def _detail_amount(self, detail: Element, place: str) -> int | None:
        for path in ("Amt", "AmtDtls/TxAmt/Amt"):
            if detail.find(path) is not None:
                return self._amount(detail, place, path)
        return None

    def _amount(self, parent: Element, place: str, path: str = "Amt") -> int:
        element = parent.find(path)
        if element is None:
            raise Unreadable("It has no amount.", place)
        read_asset(element.get("Ccy", ""), self.expected, place)
        return read_amount((element.text or "").strip(), self.expected, place)

    def _direction(self, parent: Element, place: str) -> str:
        said = _text(parent, "CdtDbtInd")
        if said not in DIRECTIONS:
            raise Unreadable(f"It is {shown(said)}, and neither CRDT nor DBIT.", place)
        return DIRECTIONS[said]

    def _day(self, parent: Element, name: str, place: str) -> date:
        text = _text(parent, f"{name}/Dt") or _text(parent, f"{name}/DtTm")
        try:
            if found := _DAY.fullmatch(text):
                return date.fromisoformat(found[1])
            return datetime.fromisoformat(text.replace("Z", "+00:00")).date()
        except ValueError as error:
            raise Unreadable(f"{shown(text)} is not a day.", place) from error


def _text(parent: Element, path: str) -> str:
    return (parent.findtext(path) or "").strip()


def _cut(text: str) -> str:
    """Banks write at length what nothing is matched by: its beginning is enough."""
    return " ".join(text.split())[:LONGEST_TEXT]


def _reference(text: str, place: str) -> str:
    plain = read_text(text, LONGEST_REFERENCE, "reference", place)
    return "" if plain.upper() in NOTHING else plain


def _flag(text: str, place: str) -> bool:
    if text not in ("", "true", "false", "1", "0"):
        raise Unreadable(f"{shown(text)} does not say whether it is a reversal.", place)
    return text in ("true", "1")
