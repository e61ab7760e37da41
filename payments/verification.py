"""The payments' promises as queries that must find nothing."""

from ledger.verification import Check

PAYMENT_CHECKS = [
    Check(
        "M2",
        "each SETTLED payment has posted what it says, and an authorization nothing",
        """SELECT p.id::text, p.kind || ' posted ' || count(e.id) || ' entries that are its own'
             FROM payments p
             LEFT JOIN ledger_entries e ON e.transaction_id = p.id AND e.amount = p.amount
                  AND (e.account_id, e.direction) IN ((p.sender_id, 'DEBIT'), (p.receiver_id, 'CREDIT'))
            WHERE p.status = 'SETTLED' GROUP BY p.id
           HAVING count(e.id) <> CASE p.kind WHEN 'authorization' THEN 0 ELSE 2 END""",
    ),
    Check(
        "M2",
        "each transaction is of a SETTLED payment of its kind",
        """SELECT t.id::text, 'its payment is ' || coalesce(p.status || ' ' || p.kind, 'missing')
             FROM transactions t LEFT JOIN payments p ON p.id = t.id
            WHERE p.id IS NULL OR p.status <> 'SETTLED' OR p.kind <> t.kind""",
    ),
    Check(
        "M3",
        "what is held is what open authorizations have left",
        """SELECT a.id::text, 'holds ' || a.held || ', its authorizations ' || coalesce(sum(p.rest), 0)
             FROM accounts a
             LEFT JOIN (SELECT sender_id, authorized_amount - captured_amount AS rest FROM payments
                         WHERE status = 'AUTHORIZED') AS p ON p.sender_id = a.id
            GROUP BY a.id HAVING a.held <> coalesce(sum(p.rest), 0)""",
    ),
    Check(
        "H1",
        "each payment's captures and refunds are what its children moved",
        """SELECT p.id::text, 'says ' || p.captured_amount || ' captured, ' || p.refunded_amount
                  || ' given back; its children ' || c.captured || ', ' || c.given_back
             FROM payments p
             CROSS JOIN LATERAL (
                  SELECT coalesce(sum(amount) FILTER (WHERE kind = 'capture'), 0) AS captured,
                         coalesce(sum(amount) FILTER (WHERE kind IN ('refund', 'reversal')), 0) AS given_back
                    FROM payments WHERE parent_id = p.id AND status = 'SETTLED') AS c
            WHERE (p.captured_amount, p.refunded_amount) <> (c.captured, c.given_back)""",
    ),
    Check(
        "H2",
        "nothing was captured after its authorization had expired",
        """SELECT c.id::text, 'at ' || c.created_at || ', after ' || p.expires_at
             FROM payments c JOIN payments p ON p.id = c.parent_id
            WHERE c.kind = 'capture' AND c.status = 'SETTLED' AND c.created_at >= p.expires_at""",
    ),
    Check(
        "L1",
        "what counts towards a limit a day is a recount of the payments of that day",
        """WITH raised AS (
                SELECT c.sender_id, c.created_at, c.amount - lag(c.amount, 1, p.amount) OVER (
                       PARTITION BY p.id ORDER BY c.created_at, c.id) AS more
                  FROM payments c JOIN payments p ON p.id = c.parent_id
                 WHERE c.kind = 'authorization' AND c.status = 'SETTLED'),
            recount AS (
                SELECT l.wallet_id, (m.created_at AT TIME ZONE 'UTC')::date AS day, sum(m.more) AS spent
                  FROM wallet_limits l
                  JOIN (SELECT sender_id, created_at, amount AS more FROM payments
                         WHERE kind IN ('transfer', 'spend', 'authorization') AND parent_id IS NULL
                           AND status <> 'FAILED'
                         UNION ALL SELECT * FROM raised WHERE more > 0) AS m ON m.sender_id = l.wallet_id
                 WHERE (m.created_at AT TIME ZONE 'UTC')::date >= l.counted_from GROUP BY 1, 2),
            counted AS (
                SELECT s.* FROM wallet_spending s JOIN wallet_limits l USING (wallet_id)
                 WHERE s.day >= l.counted_from)
            SELECT wallet_id || ' ' || day, 'counted ' || coalesce(c.spent, 0) || ', recounted ' || coalesce(r.spent, 0)
              FROM counted c FULL JOIN recount r USING (wallet_id, day)
             WHERE coalesce(c.spent, 0) <> coalesce(r.spent, 0)""",
    ),
    Check(
        "M8",
        "each FAILED payment says why, and only those do",
        """SELECT coalesce(p.id, f.payment_id)::text,
                  coalesce(p.status, 'no payment') || ' with failure ' || coalesce(f.code, 'none')
             FROM payments p FULL JOIN transaction_failures f ON f.payment_id = p.id
            WHERE (coalesce(p.status, '') = 'FAILED') <> (f.payment_id IS NOT NULL)""",
    ),
    Check(
        "I1",
        "each payment has its key, and the key its payment",
        # A key may stand for several payments, made together; then it names the first.
        """SELECT p.id::text, 'its key is ' || CASE WHEN k.key IS NULL THEN 'missing' ELSE 'of another' END
             FROM payments p
             LEFT JOIN idempotency_keys k ON k.key = p.idempotency_key AND k.principal_id = p.principal_id
             LEFT JOIN payments f ON f.id = k.resource_id
            WHERE k.resource_id IS DISTINCT FROM p.id
              AND (f.idempotency_key, f.principal_id) IS DISTINCT FROM (p.idempotency_key, p.principal_id)""",
    ),
    Check(
        "E1",
        "each payment at rest has told it once",
        """SELECT p.id::text, p.status || ' with ' || count(o.id) || ' events of it'
             FROM payments p LEFT JOIN (
                  SELECT id, subject, type FROM outbox_events UNION ALL SELECT outbox_id, subject, type FROM events) o
               ON o.subject = p.id AND o.type = 'payment.' || lower(p.status)
            WHERE p.status IN ('CREATED', 'VOIDED', 'EXPIRED', 'FAILED')
               OR p.status = 'SETTLED' AND p.kind <> 'authorization'
            GROUP BY p.id HAVING count(o.id) <> 1""",
    ),
]
