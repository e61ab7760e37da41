"""The SQL of the money path, and the arrays that each statement takes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any
from uuid import UUID

from events.outbox import INSERT_EVENTS
from ledger.accounts import UPDATE_ACCOUNTS, lock_accounts, read_accounts
from ledger.arrays import array, columns
from ledger.database import numbered
from ledger.idempotency import CLAIM_KEYS, INSERT_KEYS, READ_KEYS
from ledger.posting import INSERT_ENTRIES, INSERT_TRANSACTIONS
from payments.commands import FLOWS, WALLET, Act, Adjust, Command, Move
from payments.state import Plan

# The parties of a payment never change, so they may be read before anything is locked.
_PARTIES = """
    SELECT party FROM payments AS p CROSS JOIN LATERAL (VALUES (p.sender_id), (p.receiver_id)) AS side (party)
     WHERE p.id = ANY(%s::uuid[])
"""
CLAIM = numbered(CLAIM_KEYS)
LOCK = numbered(lock_accounts())
LOCK_WITH_PARTIES = numbered(lock_accounts(also=_PARTIES))
READ = numbered(read_accounts())
READ_WITH_PARTIES = numbered(read_accounts(also=_PARTIES))
CLOCK = "SELECT ledger_now()"
READ_IN_USE = numbered(READ_KEYS)
# What counts towards a day's limit is asked for only where there is one. Yesterday's too: the clock was read before,
# and midnight may lie in between.
_WALLETS = """
    SELECT w.id, w.user_id, w.status, l.per_payment, l.per_day, l.counted_from,
           CASE WHEN l.per_day IS NOT NULL THEN
               (SELECT jsonb_object_agg(s.day, s.spent) FROM wallet_spending AS s
                 WHERE s.wallet_id = l.wallet_id AND s.day >= (SELECT (ledger_now() AT TIME ZONE 'UTC')::date - 1)) END
      FROM wallets AS w LEFT JOIN wallet_limits AS l ON l.wallet_id = w.id
"""
READ_WALLETS = f"{_WALLETS} WHERE w.id = ANY($1::uuid[])"
READ_PARTIES = numbered(f"{_WALLETS} WHERE w.id IN ({_PARTIES})")
READ_PAYMENTS = """
    SELECT id, kind, status, asset, amount, sender_id, receiver_id, parent_id, description, metadata, request_id,
           created_at, effective_at, authorized_amount, captured_amount, refunded_amount, expires_at
      FROM payments WHERE id = ANY($1::uuid[])
"""

_INSERT_PAYMENTS = """
    INSERT INTO payments (id, kind, status, asset, amount, sender_id, receiver_id, parent_id, principal_id,
                          idempotency_key, request_id, description, metadata, created_at, effective_at,
                          authorized_amount, expires_at)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::uuid[],
                         %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[],
                         %s::timestamptz[], %s::timestamptz[], %s::bigint[], %s::timestamptz[])
"""
_UPDATE_PAYMENTS = """
    UPDATE payments AS p
       SET status = n.status, authorized_amount = n.authorized_amount, captured_amount = n.captured_amount,
           refunded_amount = n.refunded_amount, expires_at = n.expires_at
      FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[])
           AS n (id, status, authorized_amount, captured_amount, refunded_amount, expires_at)
     WHERE p.id = n.id
"""
_INSERT_FAILURES = """
    INSERT INTO transaction_failures (payment_id, code, category, detail, created_at)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
"""
# One wallet's day is either here or there, so no row is written twice by the one statement.
_COUNT = """
    INSERT INTO wallet_spending AS s (wallet_id, day, spent)
    SELECT * FROM unnest(%s::uuid[], %s::date[], %s::bigint[])
        ON CONFLICT (wallet_id, day) DO UPDATE SET spent = s.spent + EXCLUDED.spent
"""
_GIVE_BACK = """
    UPDATE wallet_spending AS s SET spent = s.spent + n.change
      FROM unnest(%s::uuid[], %s::date[], %s::bigint[]) AS n (wallet_id, day, change)
     WHERE s.wallet_id = n.wallet_id AND s.day = n.day
"""
_INSERT_AUDIT = """
    INSERT INTO audit_entries (actor_kind, actor_id, actor_name, action, object_type, object_id, before, after,
                               reason, request_id, address)
    SELECT 'staff', n.actor_id, n.actor_name, n.action, 'payment', n.object_id, n.before, n.after,
           n.reason, n.request_id, n.address
      FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::jsonb[], %s::jsonb[], %s::text[], %s::text[],
                  %s::text[])
           AS n (actor_id, actor_name, action, object_id, before, after, reason, request_id, address)
"""


def what_to_lock(commands: Sequence[Command], *, dry_run: bool) -> tuple[str, list[str]]:
    """Return the statement that locks all accounts of ``commands`` (a dry run's only reads), and its parameters."""
    named = {account for command in commands for account in account_ids(command)}
    system = {pair for command in commands for pair in system_accounts(command)}
    payments = payment_ids(commands)
    parameters = [
        array(list(named)),
        array([wallet for wallet, _ in system]),
        array([kind for _, kind in system]),
    ]
    if payments:
        return READ_WITH_PARTIES if dry_run else LOCK_WITH_PARTIES, [*parameters, array(payments)]
    return READ if dry_run else LOCK, parameters


def what_to_write(plan: Plan) -> tuple[str, list[str]]:
    """
    Return the one statement that writes a plan, and its parameters.

    One, because each costs 60 us here and wakes the server once more. What the parts write is checked by
    the triggers at its end, when all of it is there.
    """
    rows = {
        INSERT_KEYS: plan.keys,
        _INSERT_PAYMENTS: plan.payments,
        _UPDATE_PAYMENTS: [
            (p.id, p.status, p.authorized_amount, p.captured_amount, p.refunded_amount, p.expires_at)
            for p in plan.changed.values()
        ],
        _INSERT_FAILURES: plan.failures,
        INSERT_TRANSACTIONS: plan.journal.transactions,
        UPDATE_ACCOUNTS: plan.journal.account_rows(),
        INSERT_ENTRIES: plan.journal.entries,
        INSERT_EVENTS: [fact.row() for fact in plan.facts],
        _COUNT: [(*place, change) for place, change in plan.counted.items() if change > 0],
        _GIVE_BACK: [(*place, change) for place, change in plan.counted.items() if change < 0],
        _INSERT_AUDIT: plan.audits,
    }
    parts = {part: part_rows for part, part_rows in rows.items() if part_rows}
    arrays = [one for part, part_rows in parts.items() for one in columns(part_rows, width=part.count("%s"))]
    return _one_statement(tuple(parts)), arrays


@cache
def _one_statement(parts: tuple[str, ...]) -> str:
    return numbered("WITH " + ", ".join(f"part_{n} AS ({part})" for n, part in enumerate(parts)) + " SELECT")


def account_ids(command: Command) -> list[UUID]:
    """The accounts that a command names: wallets, which share their ids with their accounts, and an adjustment's."""
    if isinstance(command, Adjust):
        return command.account_ids
    return command.wallet_ids if isinstance(command, Move) else []


def payment_ids(commands: Sequence[Command]) -> list[UUID]:
    return list({command.payment_id for command in commands if isinstance(command, Act)})


def system_accounts(command: Command) -> list[tuple[Any, str]]:
    """The system accounts that a command may touch, each as (wallet of the same asset, kind)."""
    if not isinstance(command, Move):
        return []
    flow = FLOWS[command.kind]
    return [(wallet, kind) for kind in (flow.sender, flow.receiver) if kind != WALLET for wallet in command.wallet_ids]
