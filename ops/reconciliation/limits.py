"""
Floors and limits: what was allowed, and what counted towards it.

Parameters ``ids`` (of accounts and wallets, which share theirs) and ``firsts``, as for ``balances``: where all of an
account is looked at, all days are; else today and yesterday.
"""

from __future__ import annotations

from ops.reconciliation.checks import Check

# The least id of a moment ``since``: an id begins with its milliseconds.
_LOWEST = """(lpad(to_hex((extract(epoch FROM d.since) * 1000)::bigint), 12, '0')
              || '00000000000000000000')::uuid"""

LIMIT_CHECKS = [
    Check(
        "account_floor",
        "M4",
        "a wallet may have as little available as was last approved, else nothing below 0",
        "account",
        """SELECT a.id, jsonb_build_object('min_available', f.floor::text),
                  jsonb_build_object('min_available', a.min_available::text)
             FROM accounts a
            CROSS JOIN LATERAL (
                  SELECT coalesce((SELECT f.min_available FROM account_floors f WHERE f.account_id = a.id
                                    ORDER BY f.since_seq DESC, f.id DESC LIMIT 1), 0) AS floor) AS f
            WHERE a.id = ANY(%(ids)s::uuid[]) AND a.kind = 'wallet' AND a.min_available IS DISTINCT FROM f.floor""",
    ),
    Check(
        "limit_counters",
        "L1",
        "what counts towards a wallet's limit a day is what was paid on that day",
        "wallet",
        # Whatever was asked for and did not fail, and by how much authorizations were raised.
        f"""SELECT w.id, jsonb_build_object('day', n.day, 'spent', n.paid::text),
                   jsonb_build_object('day', n.day, 'spent', n.counted::text)
              FROM unnest(%(ids)s::uuid[], %(firsts)s::bigint[]) AS w (id, first)
              JOIN wallet_limits l ON l.wallet_id = w.id AND l.per_day IS NOT NULL
             CROSS JOIN LATERAL (
                   SELECT CASE WHEN w.first = 1 THEN l.counted_from
                               ELSE greatest(l.counted_from, (ledger_now() AT TIME ZONE 'UTC')::date - 1) END AS since
                   ) AS d
             CROSS JOIN LATERAL (
                   SELECT day, sum(paid) AS paid, sum(counted) AS counted
                     FROM (SELECT (p.created_at AT TIME ZONE 'UTC')::date AS day, p.amount AS paid, 0 AS counted
                             FROM payments p
                            WHERE p.sender_id = w.id AND p.kind IN ('transfer', 'spend', 'authorization')
                              AND p.status IN ('CREATED', 'AUTHORIZED', 'SETTLED', 'VOIDED', 'EXPIRED')
                              AND p.id >= {_LOWEST} AND p.parent_id IS NULL
                           UNION ALL
                           SELECT (c.created_at AT TIME ZONE 'UTC')::date,
                                  greatest(c.amount - coalesce(b.amount, o.amount), 0), 0
                             FROM payments c JOIN payments o ON o.id = c.parent_id
                             LEFT JOIN LATERAL (
                                  SELECT e.amount FROM payments e
                                   WHERE e.parent_id = o.id AND e.kind = 'authorization' AND e.status = 'SETTLED'
                                     AND (e.created_at, e.id) < (c.created_at, c.id)
                                   ORDER BY e.created_at DESC, e.id DESC LIMIT 1) AS b ON true
                            WHERE c.sender_id = w.id AND c.kind = 'authorization' AND c.status = 'SETTLED'
                              AND c.id >= {_LOWEST}
                           UNION ALL
                           SELECT s.day, 0, s.spent FROM wallet_spending s
                            WHERE s.wallet_id = w.id AND s.day >= d.since) AS parts
                    GROUP BY day HAVING sum(paid) <> sum(counted) ORDER BY day LIMIT 1) AS n""",
    ),
]
