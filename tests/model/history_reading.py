"""Read from the database what a history is judged by, with plain SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from tests.model.history import EntryRow, EventRow, History, Ledger, Operation, PaymentRow, cents, moment
from tests.model.history_platform import Arena

PAYMENTS = """
    SELECT id::text, kind, status, sender_id::text, receiver_id::text, parent_id::text, idempotency_key, request_id
      FROM payments WHERE sender_id = ANY(%s::uuid[]) OR receiver_id = ANY(%s::uuid[])
"""
EVENTS = """
    SELECT o.id, o.type, o.subject::text, o.time, o.correlation_id
      FROM outbox_events o JOIN payments p ON p.id = o.subject
     WHERE o.id > %s AND (p.sender_id = ANY(%s::uuid[]) OR p.receiver_id = ANY(%s::uuid[])) ORDER BY o.id
"""
ENTRIES = """
    SELECT account_id::text, seq, transaction_id::text,
           CASE direction WHEN 'CREDIT' THEN amount ELSE -amount END, balance_after
      FROM ledger_entries WHERE transaction_id = ANY(%s::uuid[])
"""
ACCOUNTS = "SELECT id::text, balance, held FROM accounts WHERE id = ANY(%s::uuid[])"


class Beginning:
    """Where the ledger stood before the clients began."""

    def __init__(self, arena: Arena, wallets: list[str]) -> None:
        self.wallets = wallets
        self.position = arena.rows("SELECT coalesce(max(id), 0) FROM outbox_events")[0][0]
        self.payments = {row[0] for row in arena.rows(PAYMENTS, wallets, wallets)}
        self.opening = {wallet: _balance(arena, wallet) for wallet in wallets}

    def history(self, arena: Arena, operations: list[Operation]) -> History:
        """Return what has happened since, as clients saw it and as the ledger has it."""
        payments = {
            row[0]: PaymentRow(*row)
            for row in arena.rows(PAYMENTS, self.wallets, self.wallets)
            if row[0] not in self.payments
        }
        ledger = Ledger(
            payments=payments,
            events=[EventRow(*row) for row in arena.rows(EVENTS, self.position, self.wallets, self.wallets)],
            entries=[EntryRow(*row) for row in arena.rows(ENTRIES, list(payments))],
            accounts={row[0]: row[1:] for row in arena.rows(ACCOUNTS, self.wallets)},  # type: ignore[misc]
        )
        return History(operations, ledger, self.opening)


def _balance(arena: Arena, wallet: str) -> tuple[int, datetime]:
    answer: dict[str, Any] = orjson.loads(arena.caller().until_final("GET", f"/wallets/{wallet}/balance").body)
    return cents(answer["balance"]), moment(answer["at"])
