"""Statements: opening balance, every entry, closing balance; any cut adds up."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any

from django.db import connection

from ledger.balances import Span, balance_after
from ledger.effective import EffectiveSpan
from ledger.money import to_text
from ledger.representation import represent_entry
from walletplatform.api.times import time_text
from wallets.models import Wallet

# A larger statement is for a file: CSV streams any number of lines.
MAX_JSON_ENTRIES = 10_000
COLUMNS = [
    "seq", "booked_at", "effective_at", "transaction_id", "kind", "direction", "amount", "balance_after",
]  # fmt: skip
_CHUNK = 2_000
# Who reads a file more slowly than this gets no more of it.
CSV_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Statement:
    """A wallet's statement by booked time, or by effective time where ``effective`` is given."""

    wallet: Wallet
    booked: Span
    effective: EffectiveSpan | None = None

    @property
    def most_entries(self) -> int:
        if self.effective is not None:
            return self.effective.most_entries
        return self.booked.last_seq - self.booked.first_seq

    def as_json(self) -> dict[str, Any]:
        """Return the statement as JSON members, with all its entries."""
        entries = list(self._lines())
        return self._head(entries) | {"entries": entries}

    def as_csv(self) -> Iterator[str]:
        """
        Yield the statement as CSV (RFC 4180): an opening line, the entries, a closing line.

        Whoever takes it may take long, so no connection is held between two blocks of it. After
        ``CSV_SECONDS`` it ends with a line that says ``incomplete`` in place of the closing one.
        """
        until = monotonic() + CSV_SECONDS
        head, lines = self._head(), self._lines()
        writer = csv.writer(_Echo(), lineterminator="\r\n")
        yield writer.writerow(COLUMNS)
        yield writer.writerow(["", head["from"], "", "", "opening", "", "", head["opening_balance"]])
        while block := list(islice(lines, _CHUNK)):
            connection.close()
            if monotonic() > until:
                yield writer.writerow(["", "", "", "", "incomplete", "", "", ""])
                return
            yield "".join(writer.writerow([line[column] for column in COLUMNS]) for line in block)
        connection.close()
        yield writer.writerow(["", head["to"], "", "", "closing", "", "", head["closing_balance"]])

    def _head(self, entries: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Return what stands above the entries; those that were read tell the balances at their ends."""
        scale, span = self.wallet.asset.scale, self.booked
        since, until = span.opened_at, span.until
        if self.effective is not None:
            since, until = self.effective.since, self.effective.until
            opening, closing = to_text(self.effective.opening, scale), to_text(self.effective.closing, scale)
        elif entries:
            opening, closing = entries[0]["balance_before"], entries[-1]["balance_after"]
        else:
            ends = (balance_after(account_id=span.account_id, seq=seq) for seq in (span.first_seq, span.last_seq))
            opening, closing = (to_text(balance, scale) for balance in ends)
        return {
            "wallet_id": self.wallet.pk,
            "asset": self.wallet.asset_id,
            "by": "effective" if self.effective else "booked",
            "from": time_text(since),
            "to": time_text(until),
            "opening_balance": opening,
            "closing_balance": closing,
        }

    def _lines(self) -> Iterator[dict[str, Any]]:
        """Yield the entries in order, fetched in chunks: entries never change, so no snapshot."""
        scale = self.wallet.asset.scale
        if self.effective is not None:
            yield from _running(self.effective, scale)
            return
        seq = self.booked.first_seq
        while seq < self.booked.last_seq:
            for entry in self.booked.entries.filter(seq__gt=seq)[:_CHUNK]:
                yield represent_entry(entry, scale=scale)
                seq = entry.seq


def _running(span: EffectiveSpan, scale: int) -> Iterator[dict[str, Any]]:
    """Entries with the balances that they lead to in the order of effective time."""
    balance = span.opening
    for entry in span.entries():
        before, balance = balance, balance + entry.balance_after - entry.balance_before
        shown = {"balance_before": to_text(before, scale), "balance_after": to_text(balance, scale)}
        yield represent_entry(entry, scale=scale) | shown


class _Echo:
    """A file whose ``write`` hands the line back: what ``csv.writer`` needs to stream."""

    def write(self, line: str) -> str:
        return line
