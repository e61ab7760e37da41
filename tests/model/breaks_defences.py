"""
An attempt against each defence of the database, which nothing but that defence stops.

In plain SQL, as the tables' owner: past all of our code, and past the rights of the role that serves.
The names are those of the catalogue; ``test_defences`` sees to it that none is missing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attempt:
    """``by`` is the name that the refusal gives, where that is another one's that rests upon this."""

    sql: str
    by: str = ""


PAYMENT = """
    INSERT INTO payments (id, kind, status, asset, amount, sender_id, receiver_id, parent_id, principal_id,
                          idempotency_key, request_id, description, metadata, created_at, effective_at)
    SELECT {id}, '{kind}', '{status}', {asset}, {amount}, sender_id, {receiver}, {parent}, principal_id,
           'raw', 'raw', '', '{{}}', created_at, effective_at FROM payments WHERE id = '{of}'
"""
ENTRY = """
    INSERT INTO ledger_entries (id, transaction_id, entry_count, leg, account_id, direction, amount, seq, balance_after)
    VALUES ({id}, '{of}', 2, {leg}, '{account}', '{direction}', {amount}, {seq}, 0)
"""
TRANSACTION = "INSERT INTO transactions VALUES ('{new}', 'transfer', {count}, ledger_now(), {effective});"
ACCOUNT = """
    INSERT INTO accounts (id, asset, kind, balance, held, min_available, seq, open, created_at)
    VALUES ({id}, '{asset}', '{kind}', {balance}, {held}, {floor}, {seq}, {open}, now());
"""
ASSET = "INSERT INTO assets (code, name, kind, scale, created_at) VALUES ('{code}', 'n', '{kind}', {scale}, now());"
EVENT = """
    INSERT INTO events (event_id, type, subject, time, correlation_id, traceparent, data,
                        position, outbox_id, asset, wallet_ids, sequenced_at)
    SELECT event_id, type, subject, time, '', '', data, (SELECT coalesce(max(position), 0) FROM events) + {step},
           {outbox_id}, 'EUR', ARRAY[]::uuid[], now() FROM outbox_events WHERE subject = '{paid}';
"""
FLOOR = "INSERT INTO account_floors VALUES ({id}, 0, -1, now(), '{account}');"
LIMITS = "INSERT INTO wallet_limits VALUES ('{wallet}', {per_payment}, {per_day}, {since}, now());"
SPENDING = "INSERT INTO wallet_spending VALUES ('2000-01-01', {spent}, '{wallet}');"
NEW_ASSET = ASSET.format(code="NEW", kind="fiat", scale=2)


def _payment(**more: str) -> str:
    usual = {
        "id": "gen_random_uuid()", "kind": "transfer", "status": "FAILED", "asset": "asset", "amount": "1",
        "receiver": "receiver_id", "parent": "NULL", "of": "{paid}",
    }  # fmt: skip
    return PAYMENT.replace("{{}}", "{{{{}}}}").format(**(usual | more))


def _entry(**more: str) -> str:
    usual = {
        "id": "gen_random_uuid()", "of": "{paid}", "leg": "1", "account": "{ann}", "direction": "DEBIT",
        "amount": "1", "seq": "99",
    }  # fmt: skip
    return ENTRY.format(**(usual | more))


def _transaction(count: str = "2", effective: str = "'2000-01-01'") -> str:
    return TRANSACTION.format(new="{new}", count=count, effective=effective)


def _account(**more: str) -> str:
    usual = {
        "id": "gen_random_uuid()", "asset": "NEW", "kind": "fees", "balance": "0", "held": "0", "floor": "NULL",
        "seq": "0", "open": "true",
    }  # fmt: skip
    return ACCOUNT.format(**(usual | more))


def _event(step: int, outbox_id: int) -> str:
    return EVENT.format(step=step, outbox_id=outbox_id, paid="{paid}")


_OF_NOBODY = "{new}"
ATTEMPTS: dict[str, Attempt] = {
    name: attempt if isinstance(attempt, Attempt) else Attempt(attempt)
    for name, attempt in {
        # accounts
        "accounts_floor": "UPDATE accounts SET min_available = -1 WHERE id = '{ann}'",
        "accounts_floor_at_first": _account(asset="EUR", kind="wallet", floor="-1"),
        "accounts_funds": "UPDATE accounts SET held = balance + 1 WHERE id = '{ann}'",
        "accounts_held": "UPDATE accounts SET held = -1 WHERE id = '{ann}'",
        "accounts_kind": _account(kind="piggy"),
        "accounts_offered": NEW_ASSET + _account(open="false"),
        "account_floors_account_id_a8c16054_fk_accounts_id": FLOOR.format(account="{new}", id=-1),
        "account_floors_pkey": 2 * FLOOR.format(account="{ann}", id=1),
        "account_floors_append_only": "DELETE FROM account_floors",
        "accounts_seq": NEW_ASSET + _account(seq="-1"),
        "accounts_asset_8fccbed6_fk_assets_code": _account(asset="NONE"),
        "accounts_pkey": NEW_ASSET + _account(id="'{ann}'"),
        "accounts_id_asset": Attempt(_payment(asset="'GEM'"), by="payments_sender_fk"),
        "accounts_system": _account(asset="EUR", kind="treasury"),
        "accounts_derived": "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'",
        "accounts_fixed": "UPDATE accounts SET created_at = now() WHERE id = '{ann}'",
        "accounts_held_derived": "UPDATE accounts SET held = held + 1 WHERE id = '{ann}'",
        "accounts_no_delete": "DELETE FROM accounts WHERE id = '{ann}'",
        "accounts_opened_empty": NEW_ASSET + _account(balance="5"),
        "accounts_opened_free": NEW_ASSET + _account(held="5"),
        "accounts_wallet_inserted": _account(asset="EUR", kind="wallet", floor="0"),
        "accounts_wallet_open": "UPDATE accounts SET open = false WHERE id = '{ann}'",
        # assets
        "assets_code": ASSET.format(code="eur", kind="fiat", scale=2),
        "assets_kind": ASSET.format(code="NEW", kind="gold", scale=2),
        "assets_scale": ASSET.format(code="NEW", kind="fiat", scale=9),
        "assets_pkey": ASSET.format(code="EUR", kind="fiat", scale=2),
        "assets_fixed": "UPDATE assets SET scale = 3 WHERE code = 'EUR'",
        # keys, clock, events
        "idempotency_keys_pkey": "INSERT INTO idempotency_keys SELECT * FROM idempotency_keys"
        " WHERE resource_id = '{paid}'",
        "idempotency_keys_kept": "DELETE FROM idempotency_keys WHERE resource_id = '{paid}'",
        "ledger_clock_one_row": "INSERT INTO ledger_clock VALUES (2, '0')",
        "ledger_clock_pkey": "INSERT INTO ledger_clock VALUES (1, '0')",
        "outbox_events_pkey": "INSERT INTO outbox_events OVERRIDING SYSTEM VALUE SELECT * FROM outbox_events"
        " WHERE subject = '{paid}'",
        "outbox_events_fixed": "UPDATE outbox_events SET type = 'x' WHERE subject = '{paid}'",
        "outbox_events_to_the_log": "DELETE FROM outbox_events WHERE subject = '{paid}'",
        "events_pkey": _event(1, -1) + _event(0, -2),
        "events_outbox_id_key": _event(1, -1) + _event(1, -1),
        "events_position": _event(2, -1),
        "events_append_only": "UPDATE events SET type = 'x'",
        "event_wallets_pkey": 2 * "INSERT INTO event_wallets VALUES ('{ann}', 'x', 1);",
        "event_wallets_append_only": "DELETE FROM event_wallets",
        # entries
        "ledger_entries_amount": _entry(amount="0"),
        "ledger_entries_direction": _entry(direction="SIDE"),
        "ledger_entries_leg": _entry(leg="3"),
        "ledger_entries_seq": _entry(seq="0"),
        "ledger_entries_account_id_07cf4f01_fk_accounts_id": _transaction()
        + _entry(of="{new}", account=_OF_NOBODY, seq="1") + ";"
        + _entry(of="{new}", account=_OF_NOBODY, seq="2", leg="2", direction="CREDIT"),
        "ledger_entries_transaction_fk": _entry(of="{new}"),
        "ledger_entries_pkey": _entry(id="(SELECT id FROM ledger_entries WHERE transaction_id = '{paid}' LIMIT 1)"),
        "ledger_entries_account_seq": _transaction() + _entry(of="{new}", seq="1"),
        "ledger_entries_transaction_leg": _entry(),
        "ledger_entries_append_only": "UPDATE ledger_entries SET amount = 1 WHERE transaction_id = '{paid}'",
        "ledger_entries_chain": _transaction() + _entry(of="{new}"),
        # transactions
        "transactions_pkey": "INSERT INTO transactions VALUES ('{paid}', 'transfer', 3, ledger_now(), '2000-01-01')",
        "transactions_id_entry_count": Attempt(_entry(of="{new}"), by="ledger_entries_transaction_fk"),
        "transactions_effective_at": _transaction(effective="ledger_now() + '1 hour'"),
        "transactions_entry_count": _transaction(count="1"),
        "transactions_append_only": "DELETE FROM transactions WHERE id = '{paid}'",
        "transactions_balanced": _transaction(),
        # payments
        "payments_adjustment": _payment(kind="adjustment"),
        "payments_amount": _payment(amount="0"),
        "payments_child": _payment(kind="void", status="SETTLED", parent="id"),
        "payments_hold": "UPDATE payments SET captured_amount = 2001 WHERE id = '{hold}'",
        "payments_kind": _payment(kind="gift"),
        "payments_refunded": "UPDATE payments SET refunded_amount = 1001 WHERE id = '{paid}'",
        "payments_status": "INSERT INTO payment_transitions VALUES ('', 'LOST');" + _payment(status="LOST"),
        "payments_parent_id_77418d8c_fk_payments_id": _payment(kind="capture", parent="'{new}'"),
        "payments_receiver_id_f189dd04_fk_accounts_id": _payment(receiver="'{new}'"),
        "payments_sender_fk": _payment(asset="'GEM'"),
        "payments_pkey": _payment(id="'{paid}'"),
        "payments_child_counted": _payment(kind="capture", status="SETTLED", parent="id", of="{hold}"),
        "payments_counted": "UPDATE payments SET refunded_amount = 1 WHERE id = '{paid}'",
        "payments_held_added": _payment(kind="authorization", status="AUTHORIZED").replace(
            "effective_at)", "effective_at, authorized_amount, expires_at)"
        ).replace("effective_at FROM", "effective_at, 1, ledger_now() + '1 day' FROM"),
        "payments_held_changed": "UPDATE payments SET status = 'VOIDED' WHERE id = '{hold}'",
        "payments_move": "UPDATE payments SET status = 'AUTHORIZED' WHERE id = '{paid}'",
        "payments_no_delete": "DELETE FROM payments WHERE id = '{paid}'",
        "payment_transitions_pkey": "INSERT INTO payment_transitions VALUES ('', 'SETTLED')",
        "transaction_failures_payment_id_d03c6e8f_fk_payments_id": "INSERT INTO transaction_failures"
        " (payment_id, code, category, detail, created_at) VALUES ('{new}', 'x', 'client', '', now())",
        "transaction_failures_pkey": "INSERT INTO transaction_failures SELECT * FROM transaction_failures"
        " WHERE payment_id = '{failed}'",
        "transaction_failures_append_only": "DELETE FROM transaction_failures WHERE payment_id = '{failed}'",
        # limits
        "wallet_limits_per_payment": LIMITS.format(wallet="{bob}", per_payment=0, per_day="NULL", since="NULL"),
        "wallet_limits_per_day": LIMITS.format(wallet="{bob}", per_payment="NULL", per_day=0, since="now()"),
        "wallet_limits_counted": LIMITS.format(wallet="{bob}", per_payment=1, per_day=1, since="NULL"),
        "wallet_limits_pkey": LIMITS.format(wallet="{ann}", per_payment=1, per_day="NULL", since="NULL"),
        "wallet_limits_wallet_id_93267c56_fk_wallets_id": LIMITS.format(
            wallet="{new}", per_payment=1, per_day="NULL", since="NULL"
        ),
        "wallet_limits_raised": "UPDATE wallet_limits SET per_payment = NULL WHERE wallet_id = '{ann}'",
        "wallet_limits_no_delete": "DELETE FROM wallet_limits",
        "wallet_spending_spent": SPENDING.format(wallet="{bob}", spent=-1),
        "wallet_spending_pkey": 2 * SPENDING.format(wallet="{bob}", spent=1),
        "wallet_spending_wallet_id_288940a4_fk_wallets_id": SPENDING.format(wallet="{new}", spent=1),
        "wallet_spending_begun": SPENDING.format(wallet="{ann}", spent=100_000),
        "wallet_spending_grown": "UPDATE wallet_spending SET spent = 100000 WHERE wallet_id = '{ann}'",
        "wallet_spending_no_delete": "DELETE FROM wallet_spending",
        # wallets
        "wallets_status": "INSERT INTO wallet_transitions VALUES ('ACTIVE', 'LOST');"
        " UPDATE wallets SET status = 'LOST', version = version + 1 WHERE id = '{ann}'",
        "wallets_account_fk": "INSERT INTO wallets (id, user_id, label, metadata, status, version, created_at,"
        " updated_at, asset) SELECT '{new}', user_id, '', metadata, status, 1, created_at, updated_at, asset"
        " FROM wallets WHERE id = '{ann}'",
        "wallets_pkey": "INSERT INTO wallets SELECT * FROM wallets WHERE id = '{ann}'",
        "wallets_move": "UPDATE wallets SET status = 'CREATED', version = version + 1 WHERE id = '{ann}'",
        "wallets_no_delete": "DELETE FROM wallets WHERE id = '{ann}'",
        "wallets_open": "UPDATE wallets SET status = 'SUSPENDED', version = version + 1 WHERE id = '{ann}'",
        "wallet_transitions_pkey": "INSERT INTO wallet_transitions VALUES ('', 'ACTIVE')",
    }.items()
}  # fmt: skip

# Every defence that the catalogue knows of the tables that money hangs on: (its name, its table, how to drop it).
# What is only there because a column is NOT NULL is a matter of types.
CATALOGUE = """
    WITH tables AS (
        SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname IN (
               'assets', 'accounts', 'transactions', 'ledger_entries', 'idempotency_keys', 'ledger_clock', 'wallets',
               'wallet_transitions', 'payments', 'payment_transitions', 'transaction_failures', 'outbox_events',
               'events', 'event_wallets', 'account_floors', 'wallet_limits', 'wallet_spending')
    )
    SELECT c.conname::text, t.relname::text,
           'ALTER TABLE ' || t.relname || ' DROP CONSTRAINT ' || c.conname || ' CASCADE'
      FROM pg_constraint c JOIN tables t ON t.oid = c.conrelid WHERE c.contype NOT IN ('n', 't')
    UNION ALL
    SELECT g.tgname::text, t.relname::text, 'DROP TRIGGER ' || g.tgname || ' ON ' || t.relname
      FROM pg_trigger g JOIN tables t ON t.oid = g.tgrelid WHERE NOT g.tgisinternal
    UNION ALL
    SELECT i.relname::text, t.relname::text, 'DROP INDEX ' || i.relname
      FROM pg_index x JOIN tables t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
     WHERE x.indisunique AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.oid)
    ORDER BY 2, 1
"""
