"""The payments' promises as queries that must find nothing."""

from ledger.verification import Check

PAYMENT_CHECKS = [
    Check(
        "M2",
        "each SETTLED payment has posted what it says",
        """SELECT p.id::text, 'posted ' || count(e.id) || ' entries that are its own'
             FROM payments p
             LEFT JOIN ledger_entries e ON e.transaction_id = p.id AND e.amount = p.amount
                  AND (e.account_id, e.direction) IN ((p.sender_id, 'DEBIT'), (p.receiver_id, 'CREDIT'))
            WHERE p.status = 'SETTLED' GROUP BY p.id HAVING count(e.id) <> 2""",
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
        "what is held is what authorizations hold",
        """SELECT a.id::text, 'holds ' || a.held || ', its authorizations ' || coalesce(sum(p.amount), 0)
             FROM accounts a LEFT JOIN payments p ON p.sender_id = a.id AND p.status = 'AUTHORIZED'
            GROUP BY a.id HAVING a.held <> coalesce(sum(p.amount), 0)""",
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
        """SELECT p.id::text, 'its key is ' || CASE WHEN k.key IS NULL THEN 'missing' ELSE 'of another' END
             FROM payments p LEFT JOIN idempotency_keys k
               ON k.key = p.idempotency_key AND k.principal_id = p.principal_id
            WHERE k.resource_id IS DISTINCT FROM p.id""",
    ),
    Check(
        "E1",
        "each payment at rest has told it once",
        """SELECT p.id::text, p.status || ' with ' || count(o.id) || ' events of it'
             FROM payments p LEFT JOIN outbox_events o
               ON o.subject = p.id AND o.type = 'payment.' || lower(p.status)
            WHERE p.status IN ('SETTLED', 'FAILED') GROUP BY p.id HAVING count(o.id) <> 1""",
    ),
]
