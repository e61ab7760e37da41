"""
Payments, transactions and their entries against each other.

Parameter ``ids``: of payments and transactions, which share theirs; also such as only an entry or a reason names.
"""

from __future__ import annotations

from ops.reconciliation.checks import CHANGE, Check

_IDS = "unnest(%(ids)s::uuid[]) AS w (id)"

POSTING_CHECKS = [
    Check(
        "transaction_unbalanced",
        "M2",
        "each transaction balances in each asset",
        "transaction",
        f"""SELECT w.id, jsonb_object_agg(n.asset, '0'), jsonb_object_agg(n.asset, n.net::text)
              FROM {_IDS}
             CROSS JOIN LATERAL (
                   SELECT coalesce(a.asset, 'of no account') AS asset, coalesce(sum({CHANGE}), 0) AS net
                     FROM ledger_entries e LEFT JOIN accounts a ON a.id = e.account_id
                    WHERE e.transaction_id = w.id GROUP BY 1) AS n
             WHERE n.net <> 0 GROUP BY w.id""",
    ),
    Check(
        "transaction_entries",
        "M2",
        "each transaction has its entries, two or more, and no other",
        "transaction",
        """SELECT t.id, jsonb_build_object('entries', greatest(t.entry_count, 2)),
                  jsonb_build_object('entries', n.entries, 'legs', n.legs)
             FROM transactions t
            CROSS JOIN LATERAL (
                  SELECT count(*) AS entries, coalesce(array_agg(e.leg ORDER BY e.leg), '{}') AS legs,
                         count(*) FILTER (WHERE e.entry_count <> t.entry_count) AS of_another_count
                    FROM ledger_entries e WHERE e.transaction_id = t.id) AS n
            WHERE t.id = ANY(%(ids)s::uuid[])
              AND (n.entries <> t.entry_count OR n.entries < 2 OR n.of_another_count > 0)""",
    ),
    Check(
        "entry_orphaned",
        "M2",
        "each entry is of a transaction and an account that there are",
        "entry",
        f"""SELECT e.id, jsonb_build_object('transaction', e.transaction_id, 'account', e.account_id),
                   jsonb_build_object('transaction', t.id, 'account', a.id)
              FROM {_IDS}
              JOIN ledger_entries e ON e.transaction_id = w.id
              LEFT JOIN transactions t ON t.id = e.transaction_id LEFT JOIN accounts a ON a.id = e.account_id
             WHERE t.id IS NULL OR a.id IS NULL""",
    ),
    Check(
        "payment_posting",
        "M2",
        "what has SETTLED is posted as it says, and nothing else is",
        "payment",
        # Of a payment that is not there nothing is expected to be posted.
        f"""SELECT w.id,
                   jsonb_build_object('status', p.status, 'transaction', CASE WHEN s.posts THEN p.kind END,
                                      'entries', CASE WHEN s.posts THEN s.entries ELSE '[]' END),
                   jsonb_build_object('transaction', t.kind, 'entries', n.entries)
              FROM {_IDS}
              LEFT JOIN payments p ON p.id = w.id LEFT JOIN transactions t ON t.id = w.id
             CROSS JOIN LATERAL (
                   SELECT coalesce(p.status = 'SETTLED' AND p.kind <> 'authorization', false) AS posts,
                          jsonb_build_array(concat_ws(' ', 'DEBIT', p.sender_id, p.amount),
                                            concat_ws(' ', 'CREDIT', p.receiver_id, p.amount)) AS entries) AS s
             CROSS JOIN LATERAL (
                   SELECT coalesce(jsonb_agg(concat_ws(' ', e.direction, e.account_id, e.amount) ORDER BY e.leg),
                                   '[]') AS entries
                     FROM ledger_entries e WHERE e.transaction_id = w.id) AS n
             WHERE CASE WHEN s.posts THEN t.kind IS DISTINCT FROM p.kind OR NOT n.entries @> s.entries
                        ELSE t.id IS NOT NULL OR n.entries <> '[]' END""",
    ),
    Check(
        "payment_failure",
        "M8",
        "each FAILED payment has its reason, and only those have one",
        "payment",
        f"""SELECT w.id, jsonb_build_object('status', p.status, 'reason', p.status = 'FAILED'),
                   jsonb_build_object('reason', f.code)
              FROM {_IDS}
              LEFT JOIN payments p ON p.id = w.id LEFT JOIN transaction_failures f ON f.payment_id = w.id
             WHERE (p.status = 'FAILED') IS TRUE <> (f.payment_id IS NOT NULL)""",
    ),
    Check(
        "payment_counters",
        "H1",
        "what was captured and given back of a payment is what its children moved",
        "payment",
        """SELECT p.id, jsonb_build_object('captured', c.captured::text, 'refunded', c.refunded::text),
                  jsonb_build_object('captured', p.captured_amount::text, 'refunded', p.refunded_amount::text)
             FROM payments p
            CROSS JOIN LATERAL (
                  SELECT coalesce(sum(c.amount) FILTER (WHERE c.kind = 'capture'), 0) AS captured,
                         coalesce(sum(c.amount) FILTER (WHERE c.kind IN ('refund', 'reversal')), 0) AS refunded
                    FROM payments c WHERE c.parent_id = p.id AND c.status = 'SETTLED') AS c
            WHERE p.id = ANY(%(ids)s::uuid[])
              AND (c.captured <> p.captured_amount OR c.refunded <> p.refunded_amount)""",
    ),
]
