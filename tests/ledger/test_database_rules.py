"""
What PostgreSQL itself refuses, tried in plain SQL past all of our code.

``app`` is the role that serves; ``owner`` has the tables and may do nearly everything but bend them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest
from django.db import connections
from psycopg import errors

from tests.money import rows, snapshot

Session = psycopg.Connection


def connect(alias: str) -> Session:
    settings = connections[alias].settings_dict
    url = os.environ["DATABASE_URL" if alias == "default" else "DATABASE_OWNER_URL"]
    return psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname=settings["NAME"]))


@pytest.fixture
def app() -> Iterator[Session]:
    with connect("default") as session:
        yield session
        session.rollback()


@pytest.fixture
def owner() -> Iterator[Session]:
    with connect("owner") as session:
        yield session
        session.rollback()


@pytest.fixture
def paid(shop) -> dict[str, str]:
    """A payment that stands in the ledger, and its wallets."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": shop.pay(ann, bob, "4.00").json()["id"]}


FORBIDDEN = {
    "update an entry": "UPDATE ledger_entries SET amount = 1 WHERE transaction_id = '{payment}'",
    "delete an entry": "DELETE FROM ledger_entries WHERE transaction_id = '{payment}'",
    "truncate entries": "TRUNCATE ledger_entries",
    "update a transaction": "UPDATE transactions SET kind = 'x' WHERE id = '{payment}'",
    "delete a transaction": "DELETE FROM transactions WHERE id = '{payment}'",
    "truncate transactions": "TRUNCATE transactions CASCADE",
    "upsert an entry": "INSERT INTO ledger_entries SELECT * FROM ledger_entries WHERE transaction_id = '{payment}'"
    " ON CONFLICT (id) DO UPDATE SET amount = 1",
    "upsert a transaction": "INSERT INTO transactions SELECT * FROM transactions WHERE id = '{payment}'"
    " ON CONFLICT (id) DO UPDATE SET kind = 'x'",
    "merge into entries": "MERGE INTO ledger_entries e USING (SELECT 1) s ON e.transaction_id = '{payment}'"
    " WHEN MATCHED THEN UPDATE SET amount = 1",
    "merge away a transaction": "MERGE INTO transactions t USING (SELECT 1) s ON t.id = '{payment}'"
    " WHEN MATCHED THEN DELETE",
    "switch a trigger off": "ALTER TABLE ledger_entries DISABLE TRIGGER ALL",
    "drop a trigger": "DROP TRIGGER ledger_entries_append_only ON ledger_entries",
    "replay as a replica": "SET session_replication_role = replica",
    "rewrite by a rule": "CREATE RULE quiet AS ON INSERT TO ledger_entries DO INSTEAD NOTHING",
    "rewrite transactions by a rule": "CREATE RULE quiet AS ON UPDATE TO transactions DO INSTEAD NOTHING",
    "shadow entries": "CREATE TEMPORARY TABLE ledger_entries (id uuid)",
    "shadow transactions": "CREATE TEMPORARY TABLE transactions (id uuid)",
    "create a table": "CREATE TABLE mine (id int)",
    "replace a function": "CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    "shift the clock": "UPDATE ledger_clock SET shift = '1 day'",
    "delete an account": "DELETE FROM accounts WHERE id = '{ann}'",
    "change an account's asset": "UPDATE accounts SET asset = 'GEM' WHERE id = '{ann}'",
    "change a payment": "UPDATE payments SET amount = 1 WHERE id = '{payment}'",
    "delete a payment": "DELETE FROM payments WHERE id = '{payment}'",
    "delete a key": "DELETE FROM idempotency_keys",
    "rewrite a key": "UPDATE idempotency_keys SET body = ''",
    "change a fact": "UPDATE outbox_events SET data = '{{}}'",
    "delete an event": "DELETE FROM events",
    "change a scale": "UPDATE assets SET scale = 3 WHERE code = 'EUR'",
    "allow a move": "INSERT INTO wallet_transitions VALUES ('CLOSED', 'ACTIVE')",
}


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_the_serving_role_cannot(app, paid, attempt):
    before = snapshot()

    with pytest.raises((errors.InsufficientPrivilege, errors.FeatureNotSupported)):
        app.execute(FORBIDDEN[attempt].format(**paid))
        app.commit()

    app.rollback()
    assert snapshot() == before


@pytest.mark.parametrize(
    "attempt",
    [
        "update an entry", "delete an entry", "truncate entries", "update a transaction",
        "delete a transaction", "truncate transactions", "upsert an entry", "upsert a transaction",
        "merge into entries", "merge away a transaction", "delete an account",
        "change an account's asset", "change a payment", "delete a payment", "change a scale",
    ],
)  # fmt: skip
def test_even_the_owner_cannot_while_triggers_are_on(owner, paid, attempt):
    before = snapshot()

    with pytest.raises(psycopg.IntegrityError):
        owner.execute(FORBIDDEN[attempt].format(**paid))
        owner.commit()

    owner.rollback()
    assert snapshot() == before


def post(session: Session, paid: dict[str, str], *, debit: int, credit: int, count: int = 2, entries: int = 2) -> str:
    """Write a posting from ann to bob by hand, in the right order, with the given faults."""
    transaction = str(uuid4())
    session.execute(
        "INSERT INTO transactions VALUES (%s, 'transfer', %s, greatest(ledger_now(),"
        " (SELECT max(booked_at) FROM accounts WHERE id IN (%s, %s))), '2000-01-01')",
        (transaction, count, paid["ann"], paid["bob"]),
    )
    legs = [(paid["ann"], "DEBIT", debit), (paid["bob"], "CREDIT", credit)][:entries]
    for leg, (account, direction, amount) in enumerate(legs, start=1):
        enter(session, transaction, count, leg, account, direction, amount)
    return transaction


def enter(session: Session, transaction: str, count: int, leg: int, account: str, direction: str, amount: int) -> None:
    change = amount if direction == "CREDIT" else -amount
    session.execute(
        "UPDATE accounts SET balance = balance + %s, seq = seq + 1,"
        " booked_at = (SELECT booked_at FROM transactions WHERE id = %s) WHERE id = %s",
        (change, transaction, account),
    )
    session.execute(
        "INSERT INTO ledger_entries (id, transaction_id, entry_count, leg, account_id, direction, amount, seq,"
        " balance_after) SELECT gen_random_uuid(), %s, %s, %s, id, %s, %s, seq, balance FROM accounts WHERE id = %s",
        (transaction, count, leg, direction, amount, account),
    )


def test_a_posting_by_hand_that_keeps_the_rules_is_taken(owner, paid):
    post(owner, paid, debit=100, credit=100)
    owner.commit()

    assert rows("SELECT balance FROM accounts WHERE id = %s", paid["ann"]) == [(500,)]


@pytest.mark.parametrize("alias", ["default", "owner"])
@pytest.mark.parametrize(
    "faults",
    [
        {"debit": 100, "credit": 101},
        {"debit": 100, "credit": 100, "entries": 1},
        {"debit": 100, "credit": 100, "entries": 0},
        {"debit": 100, "credit": 100, "count": 3},
    ],
    ids=["unbalanced", "one side missing", "no entries", "an entry missing"],
)
def test_a_transaction_that_does_not_balance_is_refused_at_commit(paid, alias, faults):
    before = snapshot()
    with connect(alias) as session:
        post(session, paid, **faults)

        with pytest.raises(psycopg.IntegrityError) as refused:
            session.commit()

    assert refused.value.diag.constraint_name == "transactions_balanced"
    assert snapshot() == before


@pytest.mark.parametrize("leg", [1, 2, 3])
def test_nothing_can_be_added_to_an_old_transaction(owner, paid, leg):
    with pytest.raises(psycopg.IntegrityError):
        enter(owner, paid["payment"], 2, leg, paid["bob"], "CREDIT", 1)
        owner.commit()


def test_an_old_transaction_cannot_be_widened_by_another_entry_count(owner, paid):
    with pytest.raises(errors.ForeignKeyViolation):
        enter(owner, paid["payment"], 4, 3, paid["bob"], "CREDIT", 1)
        owner.commit()


CHANGES: dict[str, Callable[[Session, dict[str, str]], object]] = {
    "a balance": lambda s, p: s.execute("UPDATE accounts SET balance = balance + 1 WHERE id = %s", (p["ann"],)),
    "a balance and a seq": lambda s, p: s.execute(
        "UPDATE accounts SET balance = balance + 1, seq = seq + 1 WHERE id = %s", (p["ann"],)
    ),
    "a seq back to where the balance was": lambda s, p: s.execute(
        "UPDATE accounts SET balance = 1000, seq = 1 WHERE id = %s", (p["ann"],)
    ),
    "the time of the last booking": lambda s, p: s.execute(
        "UPDATE accounts SET booked_at = '2000-01-01' WHERE id = %s", (p["ann"],)
    ),
    "a booking ahead of its entries": lambda s, p: s.execute(
        "UPDATE accounts SET booked_at = '2500-01-01' WHERE id = %s", (p["ann"],)
    ),
    "a new account with money": lambda s, p: s.execute(
        "INSERT INTO accounts SELECT gen_random_uuid(), 'settlement', 5, 0, NULL, 0, true, NULL, now(),"
        " 'EUR' WHERE false; INSERT INTO assets VALUES ('NEW', 'n', 'fiat', 2, now());"
        " INSERT INTO accounts (id, asset, kind, balance, held, seq, open, created_at)"
        " VALUES (gen_random_uuid(), 'NEW', 'fees', 5, 0, 0, true, now())"
    ),
}


@pytest.mark.parametrize("alias", ["default", "owner"])
@pytest.mark.parametrize("change", CHANGES)
def test_no_balance_changes_without_an_entry(paid, alias, change):
    before = snapshot()
    with connect(alias) as session:
        with pytest.raises(psycopg.IntegrityError):
            CHANGES[change](session, paid)
            session.commit()
        session.rollback()

    assert snapshot() == before


def test_an_entry_needs_its_account_to_follow(owner, paid):
    """Entries that the account does not count are refused, as is a gap in its seq."""
    transaction = str(uuid4())
    owner.execute("INSERT INTO transactions VALUES (%s, 'transfer', 2, ledger_now(), '2000-01-01')", (transaction,))
    with pytest.raises(psycopg.IntegrityError) as refused:
        owner.execute(
            "INSERT INTO ledger_entries SELECT gen_random_uuid(), 2, 1, 'DEBIT', 1, 99, 1, %s, %s",
            (paid["ann"], transaction),
        )
    assert refused.value.diag.constraint_name == "ledger_entries_chain"


def test_an_account_cannot_be_overspent(owner, paid):
    with pytest.raises(errors.CheckViolation) as refused:
        post(owner, paid, debit=601, credit=601)
    assert refused.value.diag.constraint_name == "accounts_funds"


@pytest.mark.parametrize("amount", [0, -1])
def test_an_entry_moves_a_positive_amount(owner, paid, amount):
    with pytest.raises(errors.CheckViolation):
        post(owner, paid, debit=amount, credit=amount)


def test_a_wallet_that_is_not_active_takes_no_entries(shop, owner, paid):
    assert shop.set_status(paid["bob"], "SUSPENDED").status_code == 200

    with pytest.raises(psycopg.IntegrityError) as refused:
        post(owner, paid, debit=1, credit=1)
    assert refused.value.diag.constraint_name == "ledger_entries_chain"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE accounts SET open = false WHERE id = '{ann}'",
        "UPDATE wallets SET status = 'SUSPENDED', version = version + 1 WHERE id = '{ann}'",
        "UPDATE wallets SET status = 'CREATED', version = version + 1 WHERE id = '{ann}'",
        "UPDATE wallets SET status = 'CLOSED', version = version + 1 WHERE id = '{ann}'",
        "UPDATE wallets SET user_id = gen_random_uuid(), version = version + 1 WHERE id = '{ann}'",
        "UPDATE wallets SET status = 'SUSPENDED' WHERE id = '{ann}'",
        "DELETE FROM wallets WHERE id = '{ann}'",
        "TRUNCATE wallets CASCADE",
    ],
)
def test_wallets_keep_to_their_lifecycle(owner, paid, change):
    with pytest.raises(psycopg.IntegrityError):
        owner.execute(change.format(**paid))
        owner.commit()


def test_a_closed_wallet_is_empty(shop, owner, paid):
    shop.set_status(paid["ann"], "SUSPENDED")

    with pytest.raises(psycopg.IntegrityError):
        owner.execute("UPDATE wallets SET status = 'CLOSED', version = version + 1 WHERE id = %s", (paid["ann"],))
        owner.commit()


def test_a_payment_moves_along_its_transitions_only(owner, paid):
    with pytest.raises(psycopg.IntegrityError) as refused:
        owner.execute("UPDATE payments SET status = 'AUTHORIZED' WHERE id = %s", (paid["payment"],))
    assert refused.value.diag.constraint_name == "payments_move"


def test_a_payment_posts_once(owner, paid):
    with pytest.raises(errors.UniqueViolation):
        owner.execute("INSERT INTO transactions VALUES (%s, 'transfer', 2, now(), now())", (paid["payment"],))


def test_an_asset_has_each_system_account_once(app):
    with pytest.raises(errors.UniqueViolation):
        app.execute(
            "INSERT INTO accounts (id, asset, kind, balance, held, seq, open, created_at)"
            " VALUES (gen_random_uuid(), 'EUR', 'treasury', 0, 0, 0, true, now())"
        )


def test_a_wallet_account_has_a_floor(app):
    with pytest.raises(errors.CheckViolation):
        app.execute(
            "INSERT INTO accounts (id, asset, kind, balance, held, seq, open, created_at)"
            " VALUES (gen_random_uuid(), 'EUR', 'wallet', 0, 0, 0, true, now())"
        )


def test_trigger_functions_look_into_no_temporary_tables(owner):
    settings = owner.execute(
        "SELECT proname FROM pg_proc p JOIN pg_trigger t ON t.tgfoid = p.oid"
        " WHERE NOT t.tgisinternal AND p.pronamespace = 'public'::regnamespace"
        " AND NOT coalesce(p.proconfig @> ARRAY['search_path=public, pg_temp'], false)"
    ).fetchall()
    assert settings == []


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM idempotency_keys WHERE resource_id = '{payment}'", "TRUNCATE idempotency_keys",
     "UPDATE idempotency_keys SET fingerprint = '' WHERE resource_id = '{payment}'"],
)  # fmt: skip
def test_a_key_is_kept_for_ever(owner, paid, change):
    with pytest.raises(psycopg.IntegrityError):
        owner.execute(change.format(**paid))


@pytest.mark.parametrize(("kind", "floor", "open_"), [("wallet", "1", "false"), ("fees", "NULL", "false")])
def test_no_wallet_has_a_floor_above_zero_and_no_system_account_is_closed(app, kind, floor, open_):
    with pytest.raises(errors.CheckViolation):
        app.execute(
            "INSERT INTO accounts (id, asset, kind, balance, held, min_available, seq, open, created_at)"
            f" VALUES (gen_random_uuid(), 'EUR', '{kind}', 0, 0, {floor}, 0, {open_}, now())"
        )
