"""
Accounts against their entries and holds, and wallets against their accounts.

Parameters ``ids`` (of accounts and wallets, which share theirs) and ``firsts``: from which ``seq`` on an account's
entries are looked at. 1 is all of them; NULL only the last.
"""

from __future__ import annotations

from ops.reconciliation.checks import CHANGE, Check

_ACCOUNTS = """(SELECT a.*, coalesce(w.first, greatest(a.seq, 1)) AS first
                  FROM unnest(%(ids)s::uuid[], %(firsts)s::bigint[]) AS w (id, first)
                  JOIN accounts a ON a.id = w.id) AS a"""
_LAST = "(SELECT e.balance_after FROM ledger_entries e WHERE e.account_id = a.id ORDER BY e.seq DESC LIMIT 1)"

BALANCE_CHECKS = [
    Check(
        "account_chain",
        "M3",
        "an account's entries follow each other: seq without a gap, each balance from the one before",
        "account",
        # The entry before the first is looked at only for what it leaves.
        f"""SELECT a.id,
                   jsonb_build_object('seq', b.seq_before + 1, 'balance_after', (b.balance_before + b.change)::text),
                   jsonb_build_object('entry', b.id, 'seq', b.seq, 'balance_after', b.balance_after::text)
              FROM {_ACCOUNTS}
             CROSS JOIN LATERAL (
                   SELECT * FROM (
                          SELECT e.id, e.seq, e.balance_after, {CHANGE} AS change,
                                 lag(e.seq, 1, 0::bigint) OVER chain AS seq_before,
                                 lag(e.balance_after::numeric, 1, 0::numeric) OVER chain AS balance_before
                            FROM ledger_entries e
                           WHERE e.account_id = a.id AND e.seq >= a.first - 1
                          WINDOW chain AS (ORDER BY e.seq)) AS links
                    WHERE seq >= a.first
                      AND (seq <> seq_before + 1 OR balance_after IS DISTINCT FROM balance_before + change)
                    ORDER BY seq LIMIT 1) AS b""",
    ),
    Check(
        "account_balance",
        "M3",
        "an account stands where its entries leave it",
        "account",
        f"""SELECT a.id, jsonb_build_object('balance', d.total::text, 'seq', d.entries),
                   jsonb_build_object('balance', a.balance::text, 'seq', a.seq,
                                      'last_balance_after', coalesce(d.last, 0)::text)
              FROM {_ACCOUNTS}
             CROSS JOIN LATERAL (
                   SELECT coalesce(sum({CHANGE}) FILTER (WHERE e.seq >= a.first), 0)
                          + coalesce(sum(e.balance_after) FILTER (WHERE e.seq < a.first), 0) AS total,
                          count(*) FILTER (WHERE e.seq >= a.first) + a.first - 1 AS entries, {_LAST} AS last
                     FROM ledger_entries e WHERE e.account_id = a.id AND e.seq >= a.first - 1) AS d
             WHERE a.balance <> d.total OR a.balance <> coalesce(d.last, 0) OR a.seq <> d.entries""",
    ),
    Check(
        "account_held",
        "M3",
        "what an account holds is what its open authorizations have left",
        "account",
        f"""SELECT a.id, jsonb_build_object('held', h.rest::text, 'authorizations', h.open),
                   jsonb_build_object('held', a.held::text)
              FROM {_ACCOUNTS}
             CROSS JOIN LATERAL (
                   SELECT coalesce(sum(p.authorized_amount - p.captured_amount), 0) AS rest, count(*) AS open
                     FROM payments p
                    WHERE p.sender_id = a.id AND p.kind = 'authorization' AND p.status = 'AUTHORIZED') AS h
             WHERE a.held <> h.rest""",
    ),
    Check(
        "account_overspent",
        "M4",
        "no account has less available than it may",
        "account",
        f"""SELECT a.id, jsonb_build_object('available_at_least', a.min_available::text),
                   jsonb_build_object('available', (a.balance::numeric - a.held)::text, 'balance', a.balance::text,
                                      'held', a.held::text)
              FROM {_ACCOUNTS}
             WHERE a.balance::numeric - a.held < a.min_available OR a.held < 0""",
    ),
    Check(
        "account_was_overspent",
        "M4",
        "no entry has left a wallet with less than it was allowed then",
        "account",
        # What was held at that moment is not on record; it only made less available.
        f"""SELECT a.id, jsonb_build_object('balance_after_at_least', b.floor::text),
                   jsonb_build_object('entry', b.id, 'seq', b.seq, 'balance_after', b.balance_after::text)
              FROM {_ACCOUNTS}
             CROSS JOIN LATERAL (
                   SELECT e.id, e.seq, e.balance_after, f.floor FROM ledger_entries e
                    CROSS JOIN LATERAL (
                          SELECT coalesce((SELECT f.min_available FROM account_floors f
                                            WHERE f.account_id = a.id AND f.since_seq < e.seq
                                            ORDER BY f.since_seq DESC, f.id DESC LIMIT 1), 0) AS floor) AS f
                    WHERE e.account_id = a.id AND e.seq >= a.first AND e.balance_after < 0
                      AND e.balance_after < f.floor
                    ORDER BY e.seq LIMIT 1) AS b
             WHERE a.kind = 'wallet'""",
    ),
    Check(
        "wallet_account",
        "L2",
        "a wallet's account is open while it is ACTIVE, and empty when it is CLOSED",
        "wallet",
        """SELECT coalesce(v.id, a.id),
                  jsonb_build_object('status', v.status, 'account', 'wallet', 'open', v.status = 'ACTIVE')
                  || CASE WHEN v.status = 'CLOSED' THEN '{"balance": "0", "held": "0"}' ELSE '{}' END::jsonb,
                  jsonb_build_object('account', a.kind, 'open', a.open, 'balance', a.balance::text,
                                     'held', a.held::text)
             FROM unnest(%(ids)s::uuid[]) AS w (id)
             LEFT JOIN wallets v ON v.id = w.id LEFT JOIN accounts a ON a.id = w.id
            WHERE CASE WHEN v.id IS NULL THEN a.kind = 'wallet'
                       ELSE (a.kind, a.asset, a.open) IS DISTINCT FROM ('wallet', v.asset, v.status = 'ACTIVE')
                            OR v.status = 'CLOSED' AND (a.balance <> 0 OR a.held <> 0) END""",
    ),
]

# Only where the whole ledger is looked at: what has neither a transaction nor an account, and the sums of all.
WHOLE_CHECKS = [
    Check(
        "asset_entries",
        "M1",
        "the entries of each asset add up to 0",
        "asset",
        f"""SELECT a.asset, jsonb_build_object('entries', '0'), jsonb_build_object('entries', sum(n.net)::text)
              FROM (SELECT e.account_id, sum({CHANGE}) AS net FROM ledger_entries e GROUP BY 1) AS n
              JOIN accounts a ON a.id = n.account_id
             GROUP BY a.asset HAVING sum(n.net) <> 0""",
    ),
    Check(
        "asset_balances",
        "M1",
        "the balances of each asset add up to 0",
        "asset",
        """SELECT asset, jsonb_build_object('balances', '0'), jsonb_build_object('balances', sum(balance)::text)
             FROM accounts GROUP BY asset HAVING sum(balance) <> 0""",
    ),
    Check(
        "entry_orphaned",
        "M2",
        "each entry is of a transaction and an account that there are",
        "entry",
        """SELECT e.id, jsonb_build_object('transaction', e.transaction_id, 'account', e.account_id),
                  jsonb_build_object('transaction', t.id, 'account', a.id)
             FROM ledger_entries e
             LEFT JOIN transactions t ON t.id = e.transaction_id LEFT JOIN accounts a ON a.id = e.account_id
            WHERE t.id IS NULL OR a.id IS NULL""",
    ),
]

# Where only some are: the entries of whole transactions, which add up to 0 as all do.
CONSERVED = f"""
    SELECT a.asset, sum({CHANGE}) FROM ledger_entries e JOIN accounts a ON a.id = e.account_id
     WHERE e.transaction_id = ANY(%(ids)s::uuid[]) GROUP BY a.asset
"""
