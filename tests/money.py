"""Looking at the money from outside the code under test: plain SQL."""

from __future__ import annotations

from typing import Any

from django.db import connection

TABLES = (
    "accounts", "transactions", "ledger_entries", "wallets", "payments", "transaction_failures",
    "idempotency_keys", "outbox_events", "account_floors", "wallet_limits", "wallet_spending",
)  # fmt: skip


def snapshot() -> dict[str, tuple[Any, ...]]:
    """A fingerprint of every money table: equal before and after means that nothing has changed."""
    with connection.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM {table} t")
            found[table] = cursor.fetchone()
    return found


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


def value(sql: str, *parameters: Any) -> Any:
    return rows(sql, *parameters)[0][0]
