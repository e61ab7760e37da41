"""
A list as a file: all rows of its filters, as CSV or XLSX, with nothing in it that a spreadsheet would run.

Amounts are decimal text beside their asset's code, times ISO 8601 in UTC. Rows are read in chunks by key, so that
no connection is held while somebody's slow line takes the file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from io import BytesIO
from itertools import chain
from typing import IO, Any

from django.db import connection
from django.utils.html import strip_tags

from ledger.console.lists import KeysetChangeList
from walletplatform.api.times import time_text

# How many rows a file may have; a larger list is to be narrowed first.
MOST_ROWS = {"csv": 1_000_000, "xlsx": 100_000}
TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
Column = tuple[str, Callable[[Any], object]]
_CHUNK = 2_000
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
# What begins a formula for one spreadsheet or another (the wide forms too).
_FORMULA = tuple("=+-@|\uff1d\uff0b\uff0d\uff20")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


class TooMany(Exception):
    """The list has more rows than a file of this kind may have."""


class Export:
    """
    The rows of a list as they are now: ``count`` of them.

    :raises TooMany: where they are more than ``MOST_ROWS`` of the kind
    """

    def __init__(self, changelist: KeysetChangeList, columns: Sequence[Column], kind: str) -> None:
        self.changelist, self.columns, self.kind = changelist, columns, kind
        self.first = changelist.rows(None, newer=False, limit=1)
        self.count = len(self.first) + self._behind_the_first()
        if self.count > MOST_ROWS[kind]:
            raise TooMany

    def content(self) -> Iterator[str] | IO[bytes]:
        """Return the file: CSV in parts as they are read, XLSX whole."""
        return self._csv() if self.kind == "csv" else self._xlsx()

    def _behind_the_first(self) -> int:
        if not self.first:
            return 0
        # Behind it: what came since is not counted, and not in the file.
        rest = self.changelist.queryset.filter(self.changelist.beyond(self.changelist.key_of(self.first[0])))
        return int(rest.order_by()[: MOST_ROWS[self.kind]].count())

    def _lines(self) -> Iterator[list[list[str]]]:
        """Yield the lines chunk by chunk, the names of the columns first."""
        yield [[name for name, _ in self.columns]]
        chunk = self.first
        while chunk:
            yield [[cell(read(row)) for _, read in self.columns] for row in chunk]
            chunk = self.changelist.rows(self.changelist.key_of(chunk[-1]), newer=False, limit=_CHUNK)

    def _csv(self) -> Iterator[str]:
        writer = csv.writer(_Echo(), lineterminator="\r\n")
        for lines in self._lines():
            connection.close()
            yield "".join(writer.writerow([harmless(text) for text in line]) for line in lines)

    def _xlsx(self) -> IO[bytes]:
        # Only where it is wanted: every process would start later for it.
        from openpyxl import Workbook
        from openpyxl.cell import WriteOnlyCell

        book = Workbook(write_only=True)
        sheet = book.create_sheet("Export")

        def cell_of(text: str) -> WriteOnlyCell:
            written = WriteOnlyCell(sheet, text)
            # Said to be text, else what begins with = would be a formula.
            written.data_type = "s"
            return written

        for line in chain.from_iterable(self._lines()):
            sheet.append([cell_of(text) for text in line])
        file = BytesIO()
        book.save(file)
        file.seek(0)
        return file


def cell(value: object) -> str:
    """Return what stands in a cell: one line of text, without control characters."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return time_text(value.astimezone(UTC))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | Decimal):
        return str(value)
    text = str(value)
    if hasattr(value, "__html__"):
        text = unescape(strip_tags(text))
    return _CONTROL.sub(" ", text).strip()


def harmless(text: str) -> str:
    """Return the text quoted where a spreadsheet that reads CSV would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


class _Echo:
    """A file whose ``write`` hands the line back: what ``csv.writer`` needs to stream."""

    def write(self, line: str) -> str:
        return line
