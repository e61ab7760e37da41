"""
Payments, transactions and their entries against each other.

Parameter ``ids``: of payments and transactions, which share theirs; also such as only an entry or a reason names.
Each reads what it needs of all ids at once, each table by its index, and looks closer only at what differs.
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
        f"""SELECT n.transaction_id, jsonb_object_agg(n.asset, '0'), jsonb_object_agg(n.asset, n.net::text)
              FROM (SELECT e.transaction_id, coalesce(a.asset, 'of no account') AS asset,
                           coalesce(sum({CHANGE}), 0) AS net
                      FROM ledger_entries e LEFT JOIN accounts a ON a.id = e.account_id
                     WHERE e.transaction_id = ANY(%(ids)s::uuid[]) GROUP BY 1, 2) AS n
             WHERE n.net <> 0 GROUP BY 1""",
    ),
    Check(
        "transaction_entries",
        "M2",
        "each transaction has its entries, two or more, and no other",
        "transaction",
        """SELECT t.id, jsonb_build_object('entries', greatest(t.entry_count, 2)),
                  jsonb_build_object('entries', coalesce(n.entries, 0), 'legs', coalesce(n.legs, '{}'))
             FROM transactions t
             LEFT JOIN (SELECT e.transaction_id, count(*) AS entries, array_agg(e.leg ORDER BY e.leg) AS legs,
                               min(e.entry_count) AS least, max(e.entry_count) AS most
                          FROM ledger_entries e WHERE e.transaction_id = ANY(%(ids)s::uuid[]) GROUP BY 1) AS n
               ON n.transaction_id = t.id
            WHERE t.id = ANY(%(ids)s::uuid[])
              AND (coalesce(n.entries, 0) <> t.entry_count OR coalesce(n.entries, 0) < 2
                   OR n.least <> t.entry_count OR n.most <> t.entry_count)""",
    ),
    Check(
        "entry_orphaned",
        "M2",
        "each entry is of a transaction and an account that there are",
        "entry",
        """SELECT e.id, jsonb_build_object('transaction', e.transaction_id, 'account', e.account_id),
                  jsonb_build_object('transaction', t.id, 'account', a.id)
             FROM ledger_entries e
             LEFT JOIN (SELECT t.id FROM transactions t WHERE t.id = ANY(%(ids)s::uuid[])) AS t
               ON t.id = e.transaction_id
             LEFT JOIN accounts a ON a.id = e.account_id
            WHERE e.transaction_id = ANY(%(ids)s::uuid[]) AND (t.id IS NULL OR a.id IS NULL)""",
    ),
    Check(
        "payment_posting",
        "M2",
        "what has SETTLED is posted as it says, and nothing else is",
        "payment",
        # Of a payment that is not there nothing is expected to be posted.
        f"""WITH paid AS MATERIALIZED (
                 SELECT p.id, p.status, p.kind, p.sender_id, p.receiver_id, p.amount,
                        p.status = 'SETTLED' AND p.kind <> 'authorization' AS posts
                   FROM payments p WHERE p.id = ANY(%(ids)s::uuid[])),
                 moved AS MATERIALIZED (
                 SELECT e.transaction_id, e.direction, e.account_id, e.amount, e.leg
                   FROM ledger_entries e WHERE e.transaction_id = ANY(%(ids)s::uuid[])),
                 posted AS (
                 SELECT m.transaction_id AS id,
                        bool_or(m.direction = 'DEBIT' AND m.account_id = p.sender_id AND m.amount = p.amount) AS took,
                        bool_or(m.direction = 'CREDIT' AND m.account_id = p.receiver_id AND m.amount = p.amount) AS gave
                   FROM moved m LEFT JOIN paid p ON p.id = m.transaction_id GROUP BY 1)
            SELECT w.id,
                   jsonb_build_object('status', p.status, 'transaction', CASE WHEN p.posts THEN p.kind END,
                                      'entries', CASE WHEN p.posts
                                                      THEN jsonb_build_array(
                                                           concat_ws(' ', 'DEBIT', p.sender_id, p.amount),
                                                           concat_ws(' ', 'CREDIT', p.receiver_id, p.amount))
                                                      ELSE '[]' END),
                   jsonb_build_object('transaction', t.kind, 'entries', (
                       SELECT coalesce(jsonb_agg(concat_ws(' ', m.direction, m.account_id, m.amount) ORDER BY m.leg),
                                       '[]')
                         FROM moved m WHERE m.transaction_id = w.id))
              FROM {_IDS}
              LEFT JOIN paid p ON p.id = w.id
              LEFT JOIN (SELECT t.id, t.kind FROM transactions t WHERE t.id = ANY(%(ids)s::uuid[])) AS t ON t.id = w.id
              LEFT JOIN posted n ON n.id = w.id
             WHERE CASE WHEN p.posts
                        THEN t.kind IS DISTINCT FROM p.kind OR n.took IS NOT TRUE OR n.gave IS NOT TRUE
                        ELSE t.id IS NOT NULL OR n.id IS NOT NULL END""",
    ),
    Check(
        "payment_failure",
        "M8",
        "each FAILED payment has its reason, and only those have one",
        "payment",
        """SELECT coalesce(p.id, f.payment_id),
                  jsonb_build_object('status', p.status, 'reason', p.status = 'FAILED'),
                  jsonb_build_object('reason', f.code)
             FROM (SELECT p.id, p.status FROM payments p WHERE p.id = ANY(%(ids)s::uuid[])) AS p
             FULL JOIN (SELECT f.payment_id, f.code FROM transaction_failures f
                         WHERE f.payment_id = ANY(%(ids)s::uuid[])) AS f ON f.payment_id = p.id
            WHERE (p.status = 'FAILED') IS TRUE <> (f.payment_id IS NOT NULL)""",
    ),
    Check(
        "payment_counters",
        "H1",
        "what was captured and given back of a payment is what its children moved",
        "payment",
        """SELECT p.id,
                  jsonb_build_object('captured', coalesce(c.captured, 0)::text,
                                     'refunded', coalesce(c.refunded, 0)::text),
                  jsonb_build_object('captured', p.captured_amount::text, 'refunded', p.refunded_amount::text)
             FROM payments p
             LEFT JOIN (SELECT c.parent_id, sum(c.amount) FILTER (WHERE c.kind = 'capture') AS captured,
                               sum(c.amount) FILTER (WHERE c.kind IN ('refund', 'reversal')) AS refunded
                          FROM payments c WHERE c.parent_id = ANY(%(ids)s::uuid[]) AND c.status = 'SETTLED'
                         GROUP BY 1) AS c ON c.parent_id = p.id
            WHERE p.id = ANY(%(ids)s::uuid[])
              AND (coalesce(c.captured, 0) <> p.captured_amount OR coalesce(c.refunded, 0) <> p.refunded_amount)""",
    ),
]
