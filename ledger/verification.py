"""
The ledger's promises as queries that must find nothing. Written apart from the money path on purpose.

Each check yields the places where it is broken: what (an id) and how. All run in one snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.transaction import atomic

SIGNED = "CASE e.direction WHEN 'CREDIT' THEN e.amount ELSE -e.amount END"


@dataclass(frozen=True, slots=True)
class Check:
    """A promise (its id in the docs, and its words) and the query for (subject, finding) against it."""

    promise: str
    name: str
    sql: str


@dataclass(frozen=True, slots=True)
class Finding:
    check: Check
    subject: str
    detail: str


LEDGER_CHECKS = [
    Check(
        "M1",
        "the entries of each asset add up to 0",
        f"""SELECT a.asset, 'the entries add up to ' || sum({SIGNED}) || ' minor units'
              FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
             GROUP BY a.asset HAVING sum({SIGNED}) <> 0""",
    ),
    Check(
        "M1",
        "the balances of each asset add up to 0",
        """SELECT asset, 'the balances add up to ' || sum(balance) || ' minor units'
             FROM accounts GROUP BY asset HAVING sum(balance) <> 0""",
    ),
    Check(
        "M2",
        "each transaction balances in each asset",
        f"""SELECT e.transaction_id::text, a.asset || ' is off by ' || sum({SIGNED}) || ' minor units'
              FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
             GROUP BY e.transaction_id, a.asset HAVING sum({SIGNED}) <> 0""",
    ),
    Check(
        "M2",
        "each transaction has all its entries",
        """SELECT t.id::text, 'has ' || count(e.id) || ' of ' || t.entry_count || ' entries'
             FROM transactions t LEFT JOIN ledger_entries e ON e.transaction_id = t.id
            GROUP BY t.id, t.entry_count HAVING count(e.id) <> t.entry_count OR count(e.id) < 2""",
    ),
    Check(
        "M2",
        "each entry has its transaction",
        """SELECT e.id::text, 'its transaction ' || e.transaction_id || ' does not exist'
             FROM ledger_entries e LEFT JOIN transactions t ON t.id = e.transaction_id
            WHERE t.id IS NULL""",
    ),
    Check(
        "M3",
        "each account's entries form a chain",
        f"""SELECT account_id::text,
                   'entry ' || seq || ' (' || id || '): after seq ' || before_seq || ' with balance '
                   || before_balance || ' it says balance ' || balance_after
              FROM (SELECT e.id, e.account_id, e.seq, e.balance_after, {SIGNED} AS change, t.booked_at,
                           lag(e.seq, 1, 0::bigint) OVER chain AS before_seq,
                           lag(e.balance_after, 1, 0::bigint) OVER chain AS before_balance,
                           lag(t.booked_at, 1, '-infinity') OVER chain AS before_booked
                      FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
                    WINDOW chain AS (PARTITION BY e.account_id ORDER BY e.seq)) AS linked
             WHERE seq <> before_seq + 1 OR balance_after <> before_balance::numeric + change
                OR booked_at < before_booked""",
    ),
    Check(
        "M3",
        "each account stands where its entries leave it",
        f"""SELECT a.id::text, 'says balance ' || a.balance || ' at seq ' || a.seq || '; its '
                   || coalesce(d.entries, 0) || ' entries add up to ' || coalesce(d.total, 0)
              FROM accounts a
              LEFT JOIN (SELECT e.account_id, count(*) AS entries, sum({SIGNED}) AS total,
                                (array_agg(e.balance_after ORDER BY e.seq DESC))[1] AS last_balance
                           FROM ledger_entries e GROUP BY e.account_id) AS d ON d.account_id = a.id
             WHERE a.balance <> coalesce(d.total, 0) OR a.seq <> coalesce(d.entries, 0)
                OR a.balance <> coalesce(d.last_balance, 0)""",
    ),
    Check(
        "M4",
        "no account is overspent",
        """SELECT id::text, 'available ' || balance - held || ' is below ' || min_available
             FROM accounts WHERE balance - held < min_available OR held < 0""",
    ),
    Check(
        "M4",
        "no wallet ever was below the floor that it had then",
        """SELECT a.id::text, 'entry ' || e.seq || ' left balance ' || e.balance_after
             FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
            WHERE a.kind = 'wallet' AND e.balance_after < 0 AND e.balance_after < coalesce(
                  (SELECT f.min_available FROM account_floors f WHERE f.account_id = a.id AND f.since_seq < e.seq
                    ORDER BY f.since_seq DESC, f.id DESC LIMIT 1), 0)""",
    ),
]


def verify(checks: Sequence[Check]) -> Iterator[tuple[Check, list[Finding]]]:
    """Run checks in one snapshot; yield each with what it found, as it is done."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        for check in checks:
            cursor.execute(check.sql)
            yield check, [Finding(check, subject, detail) for subject, detail in cursor.fetchall()]
