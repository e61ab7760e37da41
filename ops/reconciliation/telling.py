"""
What is told against what happened: each state of a payment and a wallet is told, and nothing else is.

Told is what is in the log or still in the outbox. What the events say in detail is for ``verify_events``.
"""

from __future__ import annotations

from ops.reconciliation.checks import Check

# The outbox has no index on its subjects and is nearly empty: it is read once a chunk, and not once a subject.
_OUTBOX = """waiting AS MATERIALIZED (
                SELECT o.subject, o.type, o.id FROM outbox_events o WHERE o.subject = ANY(%(ids)s::uuid[]))"""
_TOLD = """(SELECT e.type, e.outbox_id FROM events e WHERE e.subject = {id}
             UNION ALL SELECT o.type, o.id FROM waiting o WHERE o.subject = {id})"""

# How often each was told, or is to be, without those that were not.
_NAMED = """jsonb_strip_nulls(jsonb_build_object(
            'created', nullif({of}.created, 0), 'settled', nullif({of}.settled, 0), 'failed', nullif({of}.failed, 0),
            'voided', nullif({of}.voided, 0), 'expired', nullif({of}.expired, 0),
            'authorized', nullif({of}.authorized, 0), 'captured', nullif({of}.captured, 0),
            'refunded', nullif({of}.refunded, 0)))"""

# Parameter ``ids``, of payments.
PAYMENT_TOLD = Check(
    "payment_told",
    "E1",
    "each state of a payment is told, once, and what was done about it as often as it was",
    "payment",
    # An authorization's end may be told as `captured` once more than was captured (the rest was released), and an
    # extension leaves no row: within these bounds what is told is taken for right.
    f"""WITH {_OUTBOX},
             told AS (
             SELECT t.subject, count(*) FILTER (WHERE t.type = 'payment.created') AS created,
                    count(*) FILTER (WHERE t.type = 'payment.settled') AS settled,
                    count(*) FILTER (WHERE t.type = 'payment.failed') AS failed,
                    count(*) FILTER (WHERE t.type = 'payment.voided') AS voided,
                    count(*) FILTER (WHERE t.type = 'payment.expired') AS expired,
                    count(*) FILTER (WHERE t.type = 'payment.authorized') AS authorized,
                    count(*) FILTER (WHERE t.type = 'payment.captured') AS captured,
                    count(*) FILTER (WHERE t.type = 'payment.refunded') AS refunded, count(*) AS events
               FROM (SELECT e.subject, e.type FROM events e WHERE e.subject = ANY(%(ids)s::uuid[])
                      UNION ALL SELECT o.subject, o.type FROM waiting o) AS t
              GROUP BY 1),
             children AS (
             SELECT c.parent_id, count(*) FILTER (WHERE c.kind = 'capture') AS captures,
                    count(*) FILTER (WHERE c.kind IN ('refund', 'reversal')) AS refunds,
                    count(*) FILTER (WHERE c.kind = 'authorization') AS changes
               FROM payments c WHERE c.parent_id = ANY(%(ids)s::uuid[]) AND c.status = 'SETTLED'
              GROUP BY 1)
        SELECT p.id, jsonb_build_object('status', p.status, 'told', {_NAMED.format(of="x")}),
               jsonb_build_object('told', {_NAMED.format(of="n")} || CASE WHEN n.others > 0
                                          THEN jsonb_build_object('others', n.others) ELSE '{{}}' END)
          FROM payments p
          LEFT JOIN told t ON t.subject = p.id LEFT JOIN children k ON k.parent_id = p.id
         CROSS JOIN LATERAL (
               SELECT coalesce(t.created, 0) AS created, coalesce(t.settled, 0) AS settled,
                      coalesce(t.failed, 0) AS failed, coalesce(t.voided, 0) AS voided,
                      coalesce(t.expired, 0) AS expired, coalesce(t.authorized, 0) AS authorized,
                      coalesce(t.captured, 0) AS captured, coalesce(t.refunded, 0) AS refunded,
                      coalesce(t.events - t.created - t.settled - t.failed - t.voided - t.expired - t.authorized
                               - t.captured - t.refunded, 0) AS others) AS n
         CROSS JOIN LATERAL (
               SELECT coalesce(k.captures, 0) AS captures, coalesce(k.refunds, 0) AS refunds,
                      coalesce(k.changes, 0) AS changes) AS c
         CROSS JOIN LATERAL (
               SELECT CASE WHEN p.status = 'CREATED' THEN 1 ELSE least(n.created, 1) END AS created,
                      CASE WHEN p.status = 'SETTLED' AND p.kind <> 'authorization' THEN 1 ELSE 0 END AS settled,
                      CASE WHEN p.status = 'FAILED' THEN 1 ELSE 0 END AS failed,
                      CASE WHEN p.status = 'VOIDED' THEN 1 ELSE 0 END AS voided,
                      CASE WHEN p.status = 'EXPIRED' THEN 1 ELSE 0 END AS expired,
                      CASE WHEN p.authorized_amount IS NULL THEN 0
                           WHEN p.status IN ('AUTHORIZED', 'SETTLED', 'EXPIRED') OR c.changes > 0
                           THEN greatest(n.authorized, c.changes + 1) ELSE n.authorized END AS authorized,
                      CASE WHEN c.captures = 0 THEN 0
                           ELSE least(greatest(n.captured, c.captures),
                                      c.captures + CASE WHEN p.status = 'SETTLED' THEN 1 ELSE 0 END) END AS captured,
                      c.refunds AS refunded) AS x
         WHERE p.id = ANY(%(ids)s::uuid[])
           AND (n.others > 0
                OR (n.created, n.settled, n.failed, n.voided, n.expired, n.authorized, n.captured, n.refunded)
                <> (x.created, x.settled, x.failed, x.voided, x.expired, x.authorized, x.captured, x.refunded))
           -- A change of an authorization is told by the authorization.
           AND NOT (p.kind = 'authorization' AND p.parent_id IS NOT NULL AND p.status = 'SETTLED')""",
)
# Parameter ``ids``, of wallets.
WALLET_TOLD = Check(
    "wallet_told",
    "E1",
    "each wallet's opening is told once, and its state was told last",
    "wallet",
    f"""WITH {_OUTBOX}
        SELECT v.id, jsonb_build_object('created', 1, 'last', x.last),
               jsonb_build_object('created', n.created, 'last', n.last)
          FROM wallets v
         CROSS JOIN LATERAL (
               SELECT CASE v.status WHEN 'ACTIVE' THEN 'activated' ELSE lower(v.status) END AS last) AS x
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE type = 'wallet.created') AS created,
                      substr((array_agg(type ORDER BY outbox_id DESC))[1], 8) AS last
                 FROM {_TOLD.format(id="v.id")} AS told) AS n
         WHERE v.id = ANY(%(ids)s::uuid[]) AND (n.created <> 1 OR n.last IS DISTINCT FROM x.last)""",
)
# Parameters ``after`` and ``upto``, positions.
LOG_CHECKS = [
    Check(
        "log_gap",
        "E2",
        "the log's positions have no gap",
        "event",
        """SELECT g.position, jsonb_build_object('position', g.position), jsonb_build_object('position', NULL)
             FROM generate_series(%(after)s::bigint + 1, %(upto)s::bigint) AS g (position)
             LEFT JOIN events e ON e.position = g.position AND e.position > %(after)s AND e.position <= %(upto)s
            WHERE e.position IS NULL""",
    ),
    Check(
        "event_untrue",
        "E1",
        "nothing is told that did not happen",
        "event",
        """SELECT e.position, jsonb_build_object('told', e.type, 'about', e.subject),
                  jsonb_build_object('payment', p.status, 'wallet', v.status)
             FROM events e
             LEFT JOIN LATERAL (SELECT * FROM payments p
                                 WHERE p.id = e.subject AND starts_with(e.type, 'payment.') LIMIT 1) AS p ON true
             LEFT JOIN LATERAL (SELECT * FROM wallets v
                                 WHERE v.id = e.subject AND starts_with(e.type, 'wallet.') LIMIT 1) AS v ON true
            WHERE e.position > %(after)s AND e.position <= %(upto)s
              AND CASE e.type
                  WHEN 'payment.created' THEN p.id IS NOT NULL
                  WHEN 'payment.authorized' THEN p.authorized_amount IS NOT NULL
                  WHEN 'payment.captured' THEN p.captured_amount > 0
                  WHEN 'payment.refunded' THEN p.refunded_amount > 0
                  WHEN 'payment.settled' THEN p.status = 'SETTLED' AND p.kind <> 'authorization'
                  WHEN 'wallet.created' THEN v.id IS NOT NULL
                  WHEN 'wallet.closed' THEN v.status = 'CLOSED'
                  WHEN 'wallet.activated' THEN v.status <> 'CREATED'
                  WHEN 'wallet.suspended' THEN v.status <> 'CREATED'
                  ELSE e.type = 'payment.' || lower(p.status) AND p.status IN ('FAILED', 'VOIDED', 'EXPIRED')
                  END IS NOT TRUE""",
    ),
]
