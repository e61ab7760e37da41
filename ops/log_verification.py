"""
What the log says, against the ledger: every change is told, once, as it was; and nothing else is.

JSON is read once for each event that a check looks into (``MATERIALIZED``): it is what these queries cost.
"""

from __future__ import annotations

from ledger.verification import Check
from payments.verification import PAYMENT_CHECKS

_TOLD = """(SELECT id AS outbox_id, event_id, subject, type, data FROM outbox_events
             UNION ALL SELECT outbox_id, event_id, subject, type, data FROM events)"""

_ENTRIES = Check(
    "E1",
    "each transaction is told once, with its entries as they stand",
    f"""SELECT t.id::text, 'told ' || count(o.outbox_id) || ' times: ' || coalesce(min(o.entries), 'no entries')
          FROM transactions t
          JOIN (SELECT n.transaction_id,
                       string_agg(concat_ws(' ', a.id, a.kind, a.asset, n.direction, n.seq, n.amount, n.balance_after),
                                  ', ' ORDER BY a.id, n.seq) AS entries
                  FROM ledger_entries n JOIN accounts a ON a.id = n.account_id GROUP BY 1) AS l
            ON l.transaction_id = t.id
          LEFT JOIN (
               SELECT told.outbox_id, told.subject,
                      (SELECT string_agg(concat_ws(' ', account_id, account_kind, asset, direction, seq,
                                                   replace(amount, '.', '')::numeric,
                                                   replace(balance_after, '.', '')::numeric),
                                         ', ' ORDER BY account_id, seq)
                         FROM jsonb_to_recordset(told.data::jsonb -> 'entries')
                              AS n (account_id uuid, account_kind text, asset text, direction text, seq bigint,
                                    amount text, balance_after text)) AS entries
                 FROM {_TOLD} AS told WHERE told.type = 'payment.settled') AS o ON o.subject = t.id
         GROUP BY t.id HAVING count(o.outbox_id) <> 1 OR min(o.entries) IS DISTINCT FROM min(l.entries)""",
)
_NOTHING_ELSE = Check(
    "E1",
    "nothing is told that did not happen",
    f"""SELECT o.subject::text, o.type || ' is told of what is ' || coalesce(p.status, w.status, 'not there')
          FROM {_TOLD} AS o
          LEFT JOIN transactions t ON t.id = o.subject LEFT JOIN payments p ON p.id = o.subject
          LEFT JOIN wallets w ON w.id = o.subject
         WHERE CASE o.type WHEN 'payment.created' THEN p.id IS NOT NULL
                           WHEN 'payment.settled' THEN t.id IS NOT NULL
                           WHEN 'payment.failed' THEN p.status = 'FAILED'
                           WHEN 'payment.voided' THEN p.status = 'VOIDED'
                           WHEN 'payment.expired' THEN p.status = 'EXPIRED'
                           WHEN 'payment.authorized' THEN p.authorized_amount IS NOT NULL
                           WHEN 'payment.captured' THEN p.captured_amount > 0
                           WHEN 'payment.refunded' THEN p.refunded_amount > 0
                           WHEN 'wallet.created' THEN w.id IS NOT NULL
                           WHEN 'wallet.activated' THEN w.status <> 'CREATED'
                           WHEN 'wallet.suspended' THEN w.status <> 'CREATED'
                           WHEN 'wallet.closed' THEN w.status = 'CLOSED' END IS NOT TRUE""",
)
_ONCE = Check(
    "E1",
    "each event has an id of its own",
    f"""SELECT event_id::text, 'is the id of ' || count(*) || ' events'
          FROM {_TOLD} AS o GROUP BY event_id HAVING count(*) > 1""",
)
_PAYMENTS_STAND = Check(
    "E1",
    "what was last told of each payment is how it stands",
    # A reauthorization is told by the hold that it changes.
    f"""WITH latest AS (SELECT max(outbox_id) AS outbox_id FROM {_TOLD} AS o
                         WHERE type LIKE 'payment.%' GROUP BY subject),
             said AS MATERIALIZED (
                SELECT o.subject, o.type, o.data::jsonb AS j FROM latest JOIN {_TOLD} AS o USING (outbox_id))
        SELECT p.id::text, p.status || ', last told by ' || coalesce(s.type || ' as ' || (s.j ->> 'status'), 'nothing')
          FROM payments p LEFT JOIN said s ON s.subject = p.id
         WHERE NOT (p.kind = 'authorization' AND p.parent_id IS NOT NULL AND p.status = 'SETTLED')
           AND (s.j ->> 'status', replace(s.j ->> 'refunded_amount', '.', '')::numeric,
                replace(s.j ->> 'authorized_amount', '.', '')::numeric,
                CASE p.kind WHEN 'authorization' THEN replace(s.j ->> 'captured_amount', '.', '')::numeric
                            ELSE p.captured_amount END,
                (s.j ->> 'expires_at')::timestamptz)
               IS DISTINCT FROM
               (p.status, p.refunded_amount, p.authorized_amount, p.captured_amount, p.expires_at)""",
)
_WALLETS_STAND = Check(
    "E1",
    "each wallet's opening is told once, and last told is how it stands",
    f"""SELECT w.id::text, w.status || ', last told by '
               || coalesce((array_agg(o.type ORDER BY o.outbox_id DESC))[1], 'nothing')
          FROM wallets w LEFT JOIN {_TOLD} AS o ON o.subject = w.id AND o.type LIKE 'wallet.%'
         GROUP BY w.id
        HAVING count(*) FILTER (WHERE o.type = 'wallet.created') <> 1
            OR (array_agg(o.type ORDER BY o.outbox_id DESC))[1]
               IS DISTINCT FROM 'wallet.' || CASE w.status WHEN 'ACTIVE' THEN 'activated' ELSE lower(w.status) END""",
)
_PAYMENTS_SAID = Check(
    "E1",
    "each event of a payment says what it is, and whom it concerns",
    """WITH said AS MATERIALIZED (
            SELECT position, type, subject, time, asset, wallet_ids, data::jsonb AS j
              FROM events WHERE type LIKE 'payment.%')
       SELECT s.position::text, s.type || ' says something else than payment ' || s.subject
         FROM said s
         JOIN payments p ON p.id = s.subject
         LEFT JOIN transaction_failures f ON f.payment_id = p.id AND s.type = 'payment.failed'
         LEFT JOIN transactions t ON t.id = p.id AND s.type = 'payment.settled'
         LEFT JOIN wallets a ON a.id = p.sender_id LEFT JOIN wallets b ON b.id = p.receiver_id
        WHERE (s.asset, s.wallet_ids, s.j ->> 'id', s.j ->> 'kind', s.j ->> 'asset',
               replace(s.j ->> 'amount', '.', '')::numeric, s.j ->> 'sender_wallet_id', s.j ->> 'receiver_wallet_id',
               s.j #>> '{failure,code}', CASE WHEN s.type IN ('payment.settled', 'payment.failed') THEN s.time END)
              IS DISTINCT FROM
              (p.asset, array_remove(ARRAY[a.id, b.id], NULL), p.id::text, p.kind, p.asset,
               p.amount, a.id::text, b.id::text,
               f.code, coalesce(t.booked_at, f.created_at))""",
)
_WALLETS_SAID = Check(
    "E1",
    "each event of a wallet says which it is",
    """WITH said AS MATERIALIZED (
            SELECT position, type, subject, asset, wallet_ids, data::jsonb AS j FROM events WHERE type LIKE 'wallet.%')
       SELECT s.position::text, s.type || ' says something else than wallet ' || w.id
         FROM said s JOIN wallets w ON w.id = s.subject
        WHERE (s.asset, s.wallet_ids, s.j #>> '{wallet,id}', s.j #>> '{wallet,asset}')
              IS DISTINCT FROM (w.asset, ARRAY[w.id], w.id::text, w.asset)""",
)
_FOUND_BY_WALLET = Check(
    "E1",
    "each event is found by the wallets that it concerns, and by no other",
    """SELECT coalesce(e.position, w.position)::text,
              CASE WHEN w.position IS NULL THEN 'is not found by wallet ' ELSE 'is found by wallet ' END || wallet_id
         FROM (SELECT DISTINCT unnest(wallet_ids) AS wallet_id, type, position FROM events) AS e
         FULL JOIN event_wallets w USING (wallet_id, type, position)
        WHERE e.position IS NULL OR w.position IS NULL""",
)
_NO_GAP = Check(
    "E2",
    "the log's positions have no gap",
    "SELECT max(position)::text, 'is the last of ' || count(*) FROM events HAVING max(position) <> count(*)",
)
_ENTRIES_IN_ORDER = Check(
    "E2",
    "each account's entries are told in their order",
    """WITH told AS MATERIALIZED (
            SELECT e.position, n.account_id, n.seq
              FROM events e
             CROSS JOIN LATERAL jsonb_to_recordset(e.data::jsonb -> 'entries') AS n (account_id uuid, seq bigint)
             WHERE e.type = 'payment.settled')
       SELECT account_id::text, 'entry ' || seq || ' is told after ' || coalesce(before, 0)
         FROM (SELECT account_id, seq, lag(seq) OVER (PARTITION BY account_id ORDER BY position, seq) AS before
                 FROM told) AS ordered
        WHERE seq <> coalesce(before, 0) + 1""",
)

LOG_CHECKS = [
    _ENTRIES, _NOTHING_ELSE, _ONCE, *(check for check in PAYMENT_CHECKS if check.promise == "E1"), _PAYMENTS_STAND,
    _WALLETS_STAND, _PAYMENTS_SAID, _WALLETS_SAID, _FOUND_BY_WALLET, _NO_GAP, _ENTRIES_IN_ORDER,
]  # fmt: skip
