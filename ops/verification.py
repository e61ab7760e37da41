"""Every promise that SQL can check: of the ledger, and of what is told about it."""

from __future__ import annotations

from collections.abc import Sequence

from events.consumers import CONSUMERS, Consumer
from events.types import TYPES
from ledger.verification import LEDGER_CHECKS, Check
from ops.log_verification import LOG_CHECKS
from payments.verification import PAYMENT_CHECKS
from wallets.verification import WALLET_CHECKS

MONEY_CHECKS = [*LEDGER_CHECKS, *WALLET_CHECKS, *PAYMENT_CHECKS]


def _read_by(consumer: str) -> str:
    """What a consumer has had the effect of, wherever its events came from and its cursor is."""
    return f"""(SELECT e.position, e.type, e.subject, e.time
                  FROM processed_events d JOIN events e ON e.position = d.position WHERE d.consumer = '{consumer}')"""


# Who asked for payment ``p``; the zeros stand for people.
_CLIENT = "coalesce(c.id, '00000000-0000-0000-0000-000000000000')"
READ_MODEL_CHECKS = [
    Check(
        "E3",
        "the figures are a recount of the payments",
        f"""WITH recount AS (
                SELECT s.span, date_trunc(s.span, e.time, 'UTC') AS begins_at, p.kind, p.asset,
                       substr(e.type, 9) AS outcome,
                       CASE e.type WHEN 'payment.failed' THEN f.code ELSE '' END AS code, count(*) AS payments,
                       sum(CASE WHEN e.type IN ('payment.settled', 'payment.failed') THEN p.amount
                                WHEN e.type IN ('payment.voided', 'payment.expired')
                                THEN coalesce(p.authorized_amount, p.amount)
                                ELSE 0 END) AS amount
                  FROM {_read_by("figures")} AS e
                  LEFT JOIN payments p ON p.id = e.subject LEFT JOIN transaction_failures f ON f.payment_id = p.id
                 CROSS JOIN (VALUES ('minute'), ('hour'), ('day')) AS s (span)
                 WHERE e.type LIKE 'payment.%' GROUP BY 1, 2, 3, 4, 5, 6)
            SELECT concat_ws(' ', span, begins_at, kind, asset, outcome, code),
                   coalesce(f.payments, 0) || ' payments of ' || coalesce(f.amount, 0)
                   || ', recounted ' || coalesce(r.payments, 0) || ' of ' || coalesce(r.amount, 0)
              FROM payment_figures f FULL JOIN recount r USING (span, begins_at, kind, asset, outcome, code)
             WHERE (f.payments, f.amount) IS DISTINCT FROM (r.payments, r.amount)""",
    ),
    Check(
        "E3",
        "the settlement totals are a recount of the entries",
        f"""WITH recount AS (
                SELECT (e.time AT TIME ZONE 'UTC')::date AS day, a.id AS account_id, a.kind, a.asset,
                       count(*) AS entries,
                       coalesce(sum(n.amount) FILTER (WHERE n.direction = 'DEBIT'), 0) AS debits,
                       coalesce(sum(n.amount) FILTER (WHERE n.direction = 'CREDIT'), 0) AS credits
                  FROM {_read_by("settlement")} AS e
                  JOIN ledger_entries n ON n.transaction_id = e.subject JOIN accounts a ON a.id = n.account_id
                 GROUP BY 1, 2)
            SELECT day || ' ' || account_id, concat_ws(' ', s.account_kind, s.asset, s.entries, s.debits, s.credits,
                                                       'recounted', r.kind, r.asset, r.entries, r.debits, r.credits)
              FROM settlement_totals s FULL JOIN recount r USING (day, account_id)
             WHERE (s.account_kind, s.asset, s.entries, s.debits, s.credits)
                   IS DISTINCT FROM (r.kind, r.asset, r.entries, r.debits, r.credits)""",
    ),
    Check(
        "E3",
        "the failed payments are those that were told to fail, each as it is",
        f"""WITH recount AS (
                SELECT p.id AS payment_id, e.time AS failed_at, p.kind, p.asset, f.code, f.category,
                       {_CLIENT} AS client_id, coalesce(a.id, b.id) AS wallet_id, p.amount
                  FROM {_read_by("failures")} AS e JOIN payments p ON p.id = e.subject
                  LEFT JOIN transaction_failures f ON f.payment_id = p.id
                  LEFT JOIN identity_clients c ON c.id = p.principal_id
                  LEFT JOIN wallets a ON a.id = p.sender_id LEFT JOIN wallets b ON b.id = p.receiver_id
                 WHERE e.type = 'payment.failed')
            SELECT payment_id::text, concat_ws(' ', f.code, f.amount, f.asset, 'recounted', r.code, r.amount, r.asset)
              FROM failure_payments f FULL JOIN recount r USING (payment_id)
             WHERE (f.failed_at, f.kind, f.asset, f.code, f.category, f.client_id, f.wallet_id, f.amount)
                   IS DISTINCT FROM
                   (r.failed_at, r.kind, r.asset, r.code, r.category, r.client_id, r.wallet_id, r.amount)""",
    ),
    Check(
        "E3",
        "the figures of clients are a recount of their payments",
        f"""WITH recount AS (
                SELECT s.span, date_trunc(s.span, e.time, 'UTC') AS begins_at, {_CLIENT} AS client_id, p.asset,
                       substr(e.type, 9) AS outcome, count(*) AS payments, sum(p.amount) AS amount
                  FROM {_read_by("failures")} AS e JOIN payments p ON p.id = e.subject
                  LEFT JOIN identity_clients c ON c.id = p.principal_id
                 CROSS JOIN (VALUES ('hour'), ('day')) AS s (span)
                 WHERE e.type IN ('payment.settled', 'payment.failed') GROUP BY 1, 2, 3, 4, 5)
            SELECT concat_ws(' ', span, begins_at, client_id, asset, outcome),
                   coalesce(f.payments, 0) || ' payments of ' || coalesce(f.amount, 0)
                   || ', recounted ' || coalesce(r.payments, 0) || ' of ' || coalesce(r.amount, 0)
              FROM failure_clients f FULL JOIN recount r USING (span, begins_at, client_id, asset, outcome)
             WHERE (f.payments, f.amount) IS DISTINCT FROM (r.payments, r.amount)""",
    ),
    Check(
        "E3",
        "the open holds are what was last told of them",
        f"""WITH latest AS (
                SELECT max(e.position) AS position FROM {_read_by("holds")} AS e
                  JOIN payments p ON p.id = e.subject WHERE p.kind = 'authorization' GROUP BY e.subject),
            said AS MATERIALIZED (
                SELECT e.subject AS payment_id, e.data::jsonb AS j FROM latest JOIN events e USING (position)),
            recount AS (
                SELECT payment_id, j ->> 'asset' AS asset, (j ->> 'sender_wallet_id')::uuid AS sender_wallet_id,
                       replace(j ->> 'authorized_amount', '.', '')::bigint
                       - replace(j ->> 'captured_amount', '.', '')::bigint AS rest,
                       (j ->> 'created_at')::timestamptz AS created_at, (j ->> 'expires_at')::timestamptz AS expires_at
                  FROM said WHERE j ->> 'status' = 'AUTHORIZED')
            SELECT payment_id::text, coalesce(h.held, 0) || ' held, recounted ' || coalesce(r.rest, 0)
              FROM open_holds h FULL JOIN recount r USING (payment_id)
             WHERE (h.asset, h.sender_wallet_id, h.held, h.created_at, h.expires_at)
                   IS DISTINCT FROM (r.asset, r.sender_wallet_id, r.rest, r.created_at, r.expires_at)""",
    ),
]


def _marks_check(consumer: Consumer) -> Check:
    """Up to its cursor, each event that a consumer wants is processed or set aside, and only those are."""
    wanted = ", ".join(f"'{one}'" for one in sorted(consumer.types or TYPES))
    return Check(
        "E3",
        f"{consumer.name} has had or set aside each event up to its cursor",
        f"""WITH marks AS (
                SELECT position FROM processed_events WHERE consumer = '{consumer.name}'
                 UNION ALL SELECT position FROM parked_events WHERE consumer = '{consumer.name}')
            SELECT coalesce(e.position, m.position)::text,
                   coalesce(e.type, 'nothing') || ' is processed or set aside ' || count(m.position) || ' times'
              FROM (SELECT position, type FROM events WHERE type IN ({wanted})) AS e
              FULL JOIN marks m ON m.position = e.position
             GROUP BY e.position, m.position, e.type
            HAVING count(m.position) > 1 OR e.position IS NULL
                OR count(m.position) = 0
                   AND e.position <= (SELECT position FROM event_cursors WHERE name = '{consumer.name}')""",
    )


def event_checks() -> Sequence[Check]:
    return [*LOG_CHECKS, *READ_MODEL_CHECKS, *(_marks_check(one) for one in CONSUMERS.values())]
