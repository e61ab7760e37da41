"""
Figures, settlement totals, open holds and failed payments against the ledger.

Consumers may be behind: parameter ``read`` is the position up to which the one in question has had every event and
none beyond, and what happened later is left out on both sides.
"""

from __future__ import annotations

from django.db import connection

from ops.reconciliation.checks import Check

# Parameter ``ids``, of payments.
HOLDS = Check(
    "open_holds",
    "E3",
    "the open holds are the authorizations that hold something",
    "payment",
    """WITH waiting AS MATERIALIZED (SELECT o.subject FROM outbox_events o WHERE o.subject = ANY(%(ids)s::uuid[]))
       SELECT w.id,
              jsonb_build_object('held', (p.authorized_amount - p.captured_amount)::text, 'expires_at', p.expires_at),
              jsonb_build_object('held', h.held::text, 'expires_at', h.expires_at)
         FROM unnest(%(ids)s::uuid[]) AS w (id)
         LEFT JOIN payments p ON p.id = w.id AND p.kind = 'authorization' AND p.status = 'AUTHORIZED'
         LEFT JOIN open_holds h ON h.payment_id = w.id
        WHERE (p.asset, p.sender_id, p.authorized_amount - p.captured_amount, p.created_at, p.expires_at)
              IS DISTINCT FROM (h.asset, h.sender_wallet_id, h.held, h.created_at, h.expires_at)
          AND NOT EXISTS (SELECT FROM waiting o WHERE o.subject = w.id)
          AND NOT EXISTS (SELECT FROM events e WHERE e.subject = w.id AND e.position > %(read)s)""",
)
# Parameter ``ids``, of payments.
FAILED = Check(
    "failed_payments",
    "E3",
    "the failed payments that are analysed are those that failed, each as it is",
    "payment",
    """SELECT w.id,
              CASE WHEN x.payment_id IS NOT NULL THEN
                   jsonb_build_object('code', x.code, 'amount', x.amount::text, 'failed_at', x.created_at,
                                      'client', x.client_id, 'wallet', x.wallet_id) ELSE '{"failed": false}' END,
              CASE WHEN f.payment_id IS NOT NULL THEN
                   jsonb_build_object('code', f.code, 'amount', f.amount::text, 'failed_at', f.failed_at,
                                      'client', f.client_id, 'wallet', f.wallet_id) ELSE '{"failed": false}' END
         FROM unnest(%(ids)s::uuid[]) AS w (id)
         LEFT JOIN LATERAL (
              SELECT t.payment_id, t.created_at, p.kind, p.asset, t.code, t.category, p.amount,
                     coalesce(c.id, '00000000-0000-0000-0000-000000000000') AS client_id,
                     coalesce(s.id, r.id) AS wallet_id
                FROM transaction_failures t JOIN payments p ON p.id = t.payment_id
                LEFT JOIN identity_clients c ON c.id = p.principal_id
                LEFT JOIN wallets s ON s.id = p.sender_id LEFT JOIN wallets r ON r.id = p.receiver_id
               WHERE t.payment_id = w.id) AS x ON true
         LEFT JOIN failure_payments f ON f.payment_id = w.id
        WHERE (x.created_at, x.kind, x.asset, x.code, x.category, x.client_id, x.wallet_id, x.amount)
              IS DISTINCT FROM
              (f.failed_at, f.kind, f.asset, f.code, f.category, f.client_id, f.wallet_id, f.amount)
          AND NOT EXISTS (SELECT FROM outbox_events o WHERE o.subject = w.id)
          AND NOT EXISTS (SELECT FROM events e WHERE e.subject = w.id AND e.position > %(read)s)""",
)
# Parameters ``ids``, of accounts, and ``days``. Where a day begins in an account is found by halving, so that the
# last hour's run does not read the day again.
SETTLEMENT_DAY = Check(
    "settlement_totals",
    "E3",
    "a day's settlement totals are what its entries say",
    "account day",
    """SELECT concat_ws(' ', d.day, a.id),
              jsonb_build_object('entries', x.entries, 'net', x.net::text),
              jsonb_build_object('entries', x.counted, 'net', x.counted_net::text)
         FROM unnest(%(ids)s::uuid[]) AS w (id) JOIN accounts a ON a.id = w.id
        CROSS JOIN unnest(%(days)s::date[]) AS d (day)
        CROSS JOIN LATERAL (
              SELECT ledger_seq_at(a.id, d.day::timestamp AT TIME ZONE 'UTC' - interval '1 microsecond') AS before,
                     CASE WHEN a.booked_at < (d.day + 1)::timestamp AT TIME ZONE 'UTC' THEN a.seq
                          ELSE ledger_seq_at(a.id, (d.day + 1)::timestamp AT TIME ZONE 'UTC'
                                                   - interval '1 microsecond') END AS last) AS s
         LEFT JOIN settlement_totals t ON t.day = d.day AND t.account_id = a.id
        CROSS JOIN LATERAL (
              SELECT EXISTS (SELECT FROM ledger_entries e JOIN events v ON v.subject = e.transaction_id
                              WHERE e.account_id = a.id AND e.seq = s.last AND s.last > s.before
                                AND v.type = 'payment.settled' AND v.position <= %(read)s) AS whole) AS r
        CROSS JOIN LATERAL (
              SELECT CASE WHEN r.whole THEN s.last - s.before
                          ELSE least(coalesce(t.entries, 0), s.last - s.before) END AS entries) AS n
        CROSS JOIN LATERAL (
              SELECT n.entries, coalesce(t.entries, 0) AS counted, coalesce(t.credits - t.debits, 0) AS counted_net,
                     coalesce((SELECT e.balance_after FROM ledger_entries e
                                WHERE e.account_id = a.id AND e.seq = s.before + n.entries), 0)::numeric
                     - coalesce((SELECT e.balance_after FROM ledger_entries e
                                  WHERE e.account_id = a.id AND e.seq = s.before), 0) AS net) AS x
        WHERE (x.entries, x.net) IS DISTINCT FROM (x.counted, x.counted_net)""",
)
# All days of all accounts.
SETTLEMENT = Check(
    "settlement_totals",
    "E3",
    "a day's settlement totals are what its entries say",
    "account day",
    """WITH unread AS MATERIALIZED (
            SELECT e.subject FROM events e WHERE e.position > %(read)s UNION ALL SELECT o.subject FROM outbox_events o),
       recount AS (
            SELECT (t.booked_at AT TIME ZONE 'UTC')::date AS day, e.account_id, count(*) AS entries,
                   coalesce(sum(e.amount) FILTER (WHERE e.direction = 'DEBIT'), 0) AS debits,
                   coalesce(sum(e.amount) FILTER (WHERE e.direction = 'CREDIT'), 0) AS credits
              FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
             WHERE NOT EXISTS (SELECT FROM unread u WHERE u.subject = t.id) GROUP BY 1, 2)
       SELECT concat_ws(' ', day, account_id),
              jsonb_build_object('entries', coalesce(r.entries, 0), 'debits', coalesce(r.debits, 0)::text,
                                 'credits', coalesce(r.credits, 0)::text),
              jsonb_build_object('entries', coalesce(s.entries, 0), 'debits', coalesce(s.debits, 0)::text,
                                 'credits', coalesce(s.credits, 0)::text)
         FROM settlement_totals s FULL JOIN recount r USING (day, account_id)
        WHERE (s.entries, s.debits, s.credits) IS DISTINCT FROM (r.entries, r.debits, r.credits)""",
)
# Parameters ``after`` and ``read``, positions between which every event since ``begins`` (a full minute) is.
FIGURES = [
    Check(
        "payment_figures",
        "E3",
        "the figures of each minute are its payments",
        "figure",
        """WITH recount AS (
                SELECT date_trunc('minute', e.time, 'UTC') AS begins_at, p.kind, p.asset, substr(e.type, 9) AS outcome,
                       coalesce(f.code, '') AS code, count(*) AS payments,
                       sum(CASE WHEN e.type IN ('payment.settled', 'payment.failed') THEN p.amount
                                WHEN e.type IN ('payment.voided', 'payment.expired')
                                THEN coalesce(p.authorized_amount, p.amount)
                                ELSE 0 END) AS amount
                  FROM events e
                 -- Looked up one by one: how few events a minute has, the planner does not know.
                 CROSS JOIN LATERAL (SELECT * FROM payments p WHERE p.id = e.subject LIMIT 1) AS p
                  LEFT JOIN transaction_failures f ON f.payment_id = e.subject AND e.type = 'payment.failed'
                 WHERE e.position > %(after)s AND e.position <= %(read)s AND e.time >= %(begins)s::timestamptz
                 GROUP BY 1, 2, 3, 4, 5),
           counted AS (
                SELECT * FROM payment_figures WHERE span = 'minute' AND begins_at >= %(begins)s::timestamptz)
           SELECT concat_ws(' ', 'minute', begins_at AT TIME ZONE 'UTC', kind, asset, outcome, code),
                  jsonb_build_object('payments', coalesce(r.payments, 0), 'amount', coalesce(r.amount, 0)::text),
                  jsonb_build_object('payments', coalesce(c.payments, 0), 'amount', coalesce(c.amount, 0)::text)
             FROM counted c FULL JOIN recount r USING (begins_at, kind, asset, outcome, code)
            WHERE (c.payments, c.amount) IS DISTINCT FROM (r.payments, r.amount)""",
    ),
    Check(
        "payment_figures",
        "E3",
        "the figures of each hour and day are those of its minutes",
        "figure",
        """WITH minutes AS (
                SELECT s.span, date_trunc(s.span, m.begins_at, 'UTC') AS begins_at, m.kind, m.asset, m.outcome, m.code,
                       sum(m.payments) AS payments, sum(m.amount) AS amount
                  FROM payment_figures m CROSS JOIN (VALUES ('hour'), ('day')) AS s (span)
                 WHERE m.span = 'minute' AND m.begins_at >= date_trunc('day', %(begins)s::timestamptz, 'UTC')
                 GROUP BY 1, 2, 3, 4, 5, 6),
           counted AS (
                SELECT * FROM payment_figures
                 WHERE span IN ('hour', 'day') AND begins_at >= date_trunc('day', %(begins)s::timestamptz, 'UTC'))
           SELECT concat_ws(' ', span, begins_at AT TIME ZONE 'UTC', kind, asset, outcome, code),
                  jsonb_build_object('payments', coalesce(m.payments, 0), 'amount', coalesce(m.amount, 0)::text),
                  jsonb_build_object('payments', coalesce(c.payments, 0), 'amount', coalesce(c.amount, 0)::text)
             FROM counted c FULL JOIN minutes m USING (span, begins_at, kind, asset, outcome, code)
            WHERE (c.payments, c.amount) IS DISTINCT FROM (m.payments, m.amount)""",
    ),
]
_CLIENT_HOURS = """
    WITH recount AS (
         SELECT date_trunc('hour', e.time, 'UTC') AS begins_at,
                coalesce(c.id, '00000000-0000-0000-0000-000000000000') AS client_id, p.asset,
                substr(e.type, 9) AS outcome, count(*) AS payments, sum(p.amount) AS amount
           FROM events e {payments}
           LEFT JOIN identity_clients c ON c.id = p.principal_id
          WHERE e.position > %(after)s AND e.position <= %(read)s AND e.time >= %(begins)s::timestamptz
            AND e.type IN ('payment.settled', 'payment.failed')
          GROUP BY 1, 2, 3, 4),
    counted AS (
         SELECT * FROM failure_clients WHERE span = 'hour' AND begins_at >= %(begins)s::timestamptz)
    SELECT concat_ws(' ', 'hour', begins_at AT TIME ZONE 'UTC', client_id, asset, outcome),
           jsonb_build_object('payments', coalesce(r.payments, 0), 'amount', coalesce(r.amount, 0)::text),
           jsonb_build_object('payments', coalesce(c.payments, 0), 'amount', coalesce(c.amount, 0)::text)
      FROM counted c FULL JOIN recount r USING (begins_at, client_id, asset, outcome)
     WHERE (c.payments, c.amount) IS DISTINCT FROM (r.payments, r.amount)"""


def _client_hours(payments: str) -> Check:
    says = "the figures of each client's hour are its payments"
    return Check("client_figures", "E3", says, "figure", _CLIENT_HOURS.format(payments=payments))


# The same parameters, ``begins`` being a full hour: for some hours, and for all of them.
CLIENT_HOURS = _client_hours("CROSS JOIN LATERAL (SELECT * FROM payments p WHERE p.id = e.subject LIMIT 1) AS p")
ALL_CLIENT_HOURS = _client_hours("JOIN payments p ON p.id = e.subject")
CLIENT_DAYS = Check(
    "client_figures",
    "E3",
    "the figures of each client's day are those of its hours",
    "figure",
    """WITH hours AS (
            SELECT date_trunc('day', begins_at, 'UTC') AS begins_at, client_id, asset, outcome,
                   sum(payments) AS payments, sum(amount) AS amount
              FROM failure_clients
             WHERE span = 'hour' AND begins_at >= date_trunc('day', %(begins)s::timestamptz, 'UTC')
             GROUP BY 1, 2, 3, 4),
       counted AS (
            SELECT * FROM failure_clients
             WHERE span = 'day' AND begins_at >= date_trunc('day', %(begins)s::timestamptz, 'UTC'))
       SELECT concat_ws(' ', 'day', begins_at AT TIME ZONE 'UTC', client_id, asset, outcome),
              jsonb_build_object('payments', coalesce(h.payments, 0), 'amount', coalesce(h.amount, 0)::text),
              jsonb_build_object('payments', coalesce(c.payments, 0), 'amount', coalesce(c.amount, 0)::text)
         FROM counted c FULL JOIN hours h USING (begins_at, client_id, asset, outcome)
        WHERE (c.payments, c.amount) IS DISTINCT FROM (h.payments, h.amount)""",
)


def exactly_read(consumer: str) -> int | None:
    """
    Return the position up to which a consumer has had every event, and none beyond; None where there is none such.

    There is none while it is being rebuilt, has events set aside, or takes them from elsewhere than the log.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT c.position FROM event_cursors c
                WHERE c.name = %(name)s AND c.position >= c.rebuilding_to
                  AND NOT EXISTS (SELECT FROM parked_events k WHERE k.consumer = c.name)
                  AND NOT EXISTS (SELECT FROM processed_events d WHERE d.consumer = c.name AND d.position > c.position)
            """,
            {"name": consumer},
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])
