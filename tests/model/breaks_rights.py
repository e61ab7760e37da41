"""Planted bugs: rights that the serving role must not have, and moves that no state allows."""

from __future__ import annotations

from tests.model.breaks import Break, of_the_database

RULES, GRANTS, WALLETS = "tests/ledger/test_database_rules.py", "tests/platform/test_grants.py", "tests/wallets"
HOLDS = "tests/payments/test_hold_rules.py"

RIGHTS = {
    "assets": "UPDATE, DELETE",
    "accounts": "UPDATE, DELETE",
    "account_floors": "INSERT, UPDATE, DELETE",
    "transactions": "UPDATE, DELETE, TRUNCATE",
    "ledger_entries": "UPDATE, DELETE, TRUNCATE",
    "idempotency_keys": "UPDATE, DELETE",
    "ledger_clock": "UPDATE",
    "wallets": "UPDATE, DELETE",
    "wallet_transitions": "INSERT",
    "payments": "UPDATE, DELETE",
    "payment_transitions": "INSERT",
    "transaction_failures": "UPDATE, DELETE",
    "wallet_limits": "UPDATE, DELETE",
    "wallet_spending": "UPDATE, DELETE",
    "outbox_events": "UPDATE, TRUNCATE",
    "events": "UPDATE, DELETE",
}
OTHER = [
    (
        "a right to shadow tables", "app may create temporary tables",
        "DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO app', current_database()); END $$", RULES,
    ),
    ("a right to create", "app may create tables", "GRANT CREATE ON SCHEMA public TO app", RULES),
    ("a table of its own", "app owns the entries", "ALTER TABLE ledger_entries OWNER TO app", RULES),
    (
        "a way back for a payment", "SETTLED may become AUTHORIZED again",
        "INSERT INTO payment_transitions VALUES ('SETTLED', 'AUTHORIZED')", RULES,
    ),
    (
        "a way back for a hold", "VOIDED may become AUTHORIZED again",
        "INSERT INTO payment_transitions VALUES ('VOIDED', 'AUTHORIZED')", HOLDS,
    ),
    (
        "a way back for a wallet", "CLOSED may become ACTIVE again",
        "INSERT INTO wallet_transitions VALUES ('CLOSED', 'ACTIVE')", WALLETS,
    ),
]  # fmt: skip


def breaks() -> list[Break]:
    rights = [
        of_the_database(
            f"rights on {table}", f"app may {more} {table}", f"GRANT {more} ON {table} TO app", RULES, GRANTS
        )
        for table, more in RIGHTS.items()
    ]
    return rights + [of_the_database(name, taken, sql, test, GRANTS) for name, taken, sql, test in OTHER]
