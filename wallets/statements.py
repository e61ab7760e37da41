"""Statements: opening balance, every entry, closing balance; any cut adds up."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

from ledger.balances import Span, balance_after
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


def lines(wallet: Wallet, span: Span) -> Iterator[dict[str, Any]]:
    """Yield the entries of a span in order, fetched in chunks: entries never change, so no snapshot."""
    seq = span.first_seq
    while seq < span.last_seq:
        for entry in span.entries.filter(seq__gt=seq)[:_CHUNK]:
            yield represent_entry(entry, scale=wallet.asset.scale)
            seq = entry.seq


def statement(wallet: Wallet, span: Span) -> dict[str, Any]:
    """Return the statement as JSON members, with all its entries."""
    return _head(wallet, span) | {"entries": list(lines(wallet, span))}


def csv_lines(wallet: Wallet, span: Span) -> Iterator[str]:
    """Yield the statement as CSV (RFC 4180): an opening line, the entries, a closing line."""
    head = _head(wallet, span)
    writer = csv.writer(_Echo(), lineterminator="\r\n")
    yield writer.writerow(COLUMNS)
    yield writer.writerow(["", head["from"], "", "", "opening", "", "", head["opening_balance"]])
    for line in lines(wallet, span):
        yield writer.writerow([line[column] for column in COLUMNS])
    yield writer.writerow(["", head["to"], "", "", "closing", "", "", head["closing_balance"]])


def _head(wallet: Wallet, span: Span) -> dict[str, Any]:
    scale = wallet.asset.scale
    opening = balance_after(account_id=span.account_id, seq=span.first_seq)
    closing = balance_after(account_id=span.account_id, seq=span.last_seq)
    return {
        "wallet_id": wallet.pk,
        "asset": wallet.asset_id,
        "from": time_text(span.opened_at),
        "to": time_text(span.until),
        "opening_balance": to_text(opening, scale),
        "closing_balance": to_text(closing, scale),
    }


class _Echo:
    """A file whose ``write`` hands the line back: what ``csv.writer`` needs to stream."""

    def write(self, line: str) -> str:
        return line
