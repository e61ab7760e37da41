"""Every promise that SQL can check: of the ledger, and of what is told about it."""

from __future__ import annotations

from collections.abc import Sequence

from events.consumers import CONSUMERS, Consumer
from events.types import TYPES
from ledger.verification import LEDGER_CHECKS, Check
from payments.verification import PAYMENT_CHECKS
from wallets.verification import WALLET_CHECKS

MONEY_CHECKS = [*LEDGER_CHECKS, *WALLET_CHECKS, *PAYMENT_CHECKS]

_TOLD = """(SELECT id AS outbox_id, subject, type, data FROM outbox_events
             UNION ALL SELECT outbox_id, subject, type, data FROM events)"""

LOG_CHECKS = [
    Check(
        "E1",
        "each transaction is told once, with its entries as they stand",
        f"""SELECT t.id::text, 'told ' || count(o.outbox_id) || ' times: ' || coalesce(min(o.entries), 'no entries')
              FROM transactions t
              JOIN (SELECT transaction_id, string_agg(concat_ws(' ', account_id, direction, seq), ', '
                                                      ORDER BY account_id, seq) AS entries
                      FROM ledger_entries GROUP BY transaction_id) AS l ON l.transaction_id = t.id
              LEFT JOIN (
                   SELECT told.outbox_id, told.subject,
                          (SELECT string_agg(concat_ws(' ', j ->> 'account_id', j ->> 'direction', j ->> 'seq'), ', '
                                             ORDER BY (j ->> 'account_id')::uuid, (j ->> 'seq')::bigint)
                             FROM jsonb_array_elements(told.data::jsonb -> 'entries') AS j) AS entries
                     FROM {_TOLD} AS told WHERE told.type = 'payment.settled') AS o ON o.subject = t.id
             GROUP BY t.id HAVING count(o.outbox_id) <> 1 OR min(o.entries) IS DISTINCT FROM min(l.entries)""",
    ),
    Check(
        "E1",
        "nothing is told that did not happen",
        f"""SELECT o.subject::text, o.type || ' is told of what is not there'
              FROM {_TOLD} AS o
              LEFT JOIN transactions t ON t.id = o.subject LEFT JOIN payments p ON p.id = o.subject
              LEFT JOIN wallets w ON w.id = o.subject
             WHERE CASE WHEN o.type = 'payment.settled' THEN t.id
                        WHEN o.type LIKE 'payment.%' THEN p.id ELSE w.id END IS NULL""",
    ),
    Check(
        "E2",
        "the log's positions have no gap",
        "SELECT max(position)::text, 'is the last of ' || count(*) FROM events HAVING max(position) <> count(*)",
    ),
    Check(
        "E2",
        "each account's entries are told in their order",
        """SELECT account, 'entry ' || seq || ' is told after ' || coalesce(before, 0)
             FROM (SELECT j ->> 'account_id' AS account, (j ->> 'seq')::bigint AS seq,
                          lag((j ->> 'seq')::bigint) OVER (
                              PARTITION BY j ->> 'account_id' ORDER BY e.position, (j ->> 'seq')::bigint) AS before
                     FROM events e CROSS JOIN LATERAL jsonb_array_elements(e.data::jsonb -> 'entries') AS j
                    WHERE e.type = 'payment.settled') AS told
            WHERE seq <> coalesce(before, 0) + 1""",
    ),
]


def _read_by(consumer: str) -> str:
    """What a consumer has had the effect of, wherever its events came from and its cursor is."""
    return f"""(SELECT e.*, e.data::jsonb AS j FROM processed_events d JOIN events e ON e.position = d.position
                 WHERE d.consumer = '{consumer}')"""


READ_MODEL_CHECKS = [
    Check(
        "E3",
        "the figures are a recount of the payments",
        f"""WITH recount AS (
                SELECT s.span, date_trunc(s.span, e.time, 'UTC') AS begins_at, p.kind, p.asset,
                       substr(e.type, 9) AS outcome, coalesce(f.code, '') AS code, count(*) AS payments,
                       sum(CASE WHEN e.type IN ('payment.settled', 'payment.failed') THEN p.amount
                                WHEN e.type IN ('payment.voided', 'payment.expired') THEN p.authorized_amount
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
        "the settlement totals are a recount of the log",
        f"""WITH recount AS (
                SELECT (e.time AT TIME ZONE 'UTC')::date AS day, (n ->> 'account_id')::uuid AS account_id,
                       count(*) AS entries,
                       coalesce(sum(replace(n ->> 'amount', '.', '')::numeric)
                           FILTER (WHERE n ->> 'direction' = 'DEBIT'), 0) AS debits,
                       coalesce(sum(replace(n ->> 'amount', '.', '')::numeric)
                           FILTER (WHERE n ->> 'direction' = 'CREDIT'), 0) AS credits
                  FROM {_read_by("settlement")} AS e CROSS JOIN LATERAL jsonb_array_elements(j -> 'entries') AS n
                 WHERE e.type = 'payment.settled' GROUP BY 1, 2)
            SELECT day || ' ' || account_id, concat_ws(' ', s.entries, s.debits, s.credits, 'recounted',
                                                       r.entries, r.debits, r.credits)
              FROM settlement_totals s FULL JOIN recount r USING (day, account_id)
             WHERE (s.entries, s.debits, s.credits) IS DISTINCT FROM (r.entries, r.debits, r.credits)""",
    ),
    Check(
        "E3",
        "the open holds are a recount of the log",
        f"""WITH recount AS (
                SELECT payment_id, rest FROM (
                    SELECT DISTINCT ON (e.subject) e.subject AS payment_id, j ->> 'status' AS status,
                           replace(j ->> 'authorized_amount', '.', '')::bigint
                           - replace(j ->> 'captured_amount', '.', '')::bigint AS rest
                      FROM {_read_by("holds")} AS e
                     WHERE e.type IN ('payment.authorized', 'payment.captured', 'payment.voided', 'payment.expired')
                       AND j ->> 'kind' = 'authorization'
                     ORDER BY e.subject, e.position DESC) AS latest
                 WHERE status = 'AUTHORIZED')
            SELECT payment_id::text, coalesce(h.held, 0) || ' held, recounted ' || coalesce(r.rest, 0)
              FROM open_holds h FULL JOIN recount r USING (payment_id)
             WHERE h.held IS DISTINCT FROM r.rest""",
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
