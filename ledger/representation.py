"""Transactions and entries as the API shows them."""

from __future__ import annotations

from typing import Any

from ledger.models import Entry, Transaction
from ledger.money import to_text
from walletplatform.api.times import time_text


def represent_transaction(transaction: Transaction) -> dict[str, Any]:
    """Return the transaction resource; it has the id of its payment."""
    return {
        "id": transaction.id,
        "payment_id": transaction.id,
        "kind": transaction.kind,
        "entry_count": transaction.entry_count,
        "booked_at": time_text(transaction.booked_at),
        "effective_at": time_text(transaction.effective_at),
    }


def represent_entry(entry: Entry, *, scale: int) -> dict[str, Any]:
    """Return an entry of an account whose asset has ``scale``; its transaction is loaded with it."""
    return {
        "id": entry.id,
        "transaction_id": entry.transaction_id,
        "kind": entry.transaction.kind,
        "seq": entry.seq,
        "direction": entry.direction,
        "amount": to_text(entry.amount, scale),
        "balance_before": to_text(entry.balance_before, scale),
        "balance_after": to_text(entry.balance_after, scale),
        "booked_at": time_text(entry.transaction.booked_at),
        "effective_at": time_text(entry.transaction.effective_at),
    }
