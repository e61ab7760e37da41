"""How a source's CSV files are read: which column is what, and how dates and amounts are written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ops.approvals.refusing import Refused

ENCODINGS = {"utf-8": "UTF-8", "latin-1": "Latin-1 (ISO 8859-1)", "cp1252": "Windows 1252"}
DELIMITERS = {",": "Comma", ";": "Semicolon", "\t": "Tabulator", "|": "Bar"}
DATES = {
    "%Y-%m-%d": "2026-12-31", "%d.%m.%Y": "31.12.2026", "%d/%m/%Y": "31/12/2026", "%m/%d/%Y": "12/31/2026",
    "%Y%m%d": "20261231",
}  # fmt: skip
POINTS = {".": "Point: 12.50", ",": "Comma: 12,50"}
GROUPS = {"": "None: 1200", ",": "Comma: 1,200", ".": "Point: 1.200", " ": "Space: 1 200", "'": "Apostrophe: 1'200"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvMapping:
    """
    Names of columns, as the file's first line has them; "" where there is none.

    The amount is one signed column, or one for what came in and one for what went out. With ``direction`` the amount
    has no sign, and what went out says ``out_word`` there.
    """

    day: str
    amount: str = ""
    amount_in: str = ""
    amount_out: str = ""
    direction: str = ""
    out_word: str = ""
    reference: str = ""
    bank_reference: str = ""
    counterparty: str = ""
    text: str = ""
    currency: str = ""
    encoding: str = "utf-8"
    delimiter: str = ","
    date_format: str = "%Y-%m-%d"
    point: str = "."
    groups: str = ""

    @property
    def columns(self) -> list[str]:
        """The columns that a file must have."""
        named = (
            self.day, self.amount, self.amount_in, self.amount_out, self.direction, self.reference,
            self.bank_reference, self.counterparty, self.text, self.currency,
        )  # fmt: skip
        return [name for name in named if name]


def to_mapping(given: Mapping[str, Any]) -> CsvMapping:
    """
    Return a mapping out of what somebody gave or what is stored.

    :raises Refused: ``invalid`` where it cannot be followed
    """
    names = CsvMapping.__dataclass_fields__
    if unknown := [name for name in given if name not in names]:
        raise Refused("invalid", f"A mapping has no {unknown[0]!r}.")
    if not all(isinstance(value, str) and len(value) <= 80 for value in given.values()):
        raise Refused("invalid", "A mapping's values are texts of 80 characters at most.")
    if not given.get("day"):
        raise Refused("invalid", "Name the column that has the day.")
    mapping = CsvMapping(**given)
    one, two = bool(mapping.amount), bool(mapping.amount_in and mapping.amount_out)
    if one == two or (one and (mapping.amount_in or mapping.amount_out)):
        raise Refused("invalid", "Name the column that has the amount, or one for what came in and one for what went.")
    if bool(mapping.direction) != bool(mapping.out_word) or (mapping.direction and two):
        raise Refused("invalid", "Name the column of the direction and the word for what went out, for one amount.")
    if len(set(mapping.columns)) < len(mapping.columns):
        raise Refused("invalid", "Each column is one thing only.")
    for value, known in (
        (mapping.encoding, ENCODINGS), (mapping.delimiter, DELIMITERS), (mapping.date_format, DATES),
        (mapping.point, POINTS), (mapping.groups, GROUPS),
    ):  # fmt: skip
        if value not in known:
            raise Refused("invalid", f"{value!r} is not among {', '.join(map(repr, known))}.")
    if mapping.point == mapping.groups:
        raise Refused("invalid", "Thousands and decimals cannot be set off by the same character.")
    return mapping


def stored(mapping: CsvMapping) -> dict[str, str]:
    """Return a mapping as it is kept: what differs from the usual only."""
    usual = asdict(CsvMapping(day=""))
    return {name: value for name, value in asdict(mapping).items() if value != usual[name]}
