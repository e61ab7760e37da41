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

# Parameter ``ids``, of payments.
PAYMENT_TOLD = Check(
    "payment_told",
    "E1",
    "each state of a payment is told, once, and what was done about it as often as it was",
    "payment",
    # An authorization's end may be told as `captured` once more than was captured (the rest was released), and an
    # extension leaves no row: within these bounds what is told is taken for right.
    f"""WITH {_OUTBOX}
        SELECT p.id, jsonb_build_object('status', p.status, 'told', x.told), jsonb_build_object('told', n.told)
          FROM payments p
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(1) FILTER (WHERE c.kind = 'capture'), 0) AS captures,
                      coalesce(sum(1) FILTER (WHERE c.kind IN ('refund', 'reversal')), 0) AS refunds,
                      coalesce(sum(1) FILTER (WHERE c.kind = 'authorization'), 0) AS changes
                 FROM payments c WHERE c.parent_id = p.id AND c.status = 'SETTLED') AS c
         CROSS JOIN LATERAL (
               SELECT coalesce(jsonb_object_agg(substr(type, 9), n), '{{}}') AS told
                 FROM (SELECT type, count(*) AS n FROM {_TOLD.format(id="p.id")} AS told GROUP BY type) AS each) AS n
         CROSS JOIN LATERAL (SELECT coalesce((n.told ->> 'created')::bigint, 0) AS created,
                                    coalesce((n.told ->> 'authorized')::bigint, 0) AS authorized,
                                    coalesce((n.told ->> 'captured')::bigint, 0) AS captured) AS t
         CROSS JOIN LATERAL (
               SELECT coalesce(jsonb_object_agg(type, times), '{{}}') AS told
                 FROM (VALUES
                      ('created', CASE WHEN p.status = 'CREATED' THEN 1 ELSE least(t.created, 1) END),
                      ('settled', CASE WHEN p.status = 'SETTLED' AND p.kind <> 'authorization' THEN 1 ELSE 0 END),
                      ('failed', CASE WHEN p.status = 'FAILED' THEN 1 ELSE 0 END),
                      ('voided', CASE WHEN p.status = 'VOIDED' THEN 1 ELSE 0 END),
                      ('expired', CASE WHEN p.status = 'EXPIRED' THEN 1 ELSE 0 END),
                      ('authorized',
                       CASE WHEN p.authorized_amount IS NULL THEN 0
                            WHEN p.status IN ('AUTHORIZED', 'SETTLED', 'EXPIRED') OR c.changes > 0
                            THEN greatest(t.authorized, c.changes + 1) ELSE t.authorized END),
                      ('captured',
                       CASE WHEN c.captures = 0 THEN 0
                            ELSE least(greatest(t.captured, c.captures),
                                       c.captures + CASE WHEN p.status = 'SETTLED' THEN 1 ELSE 0 END) END),
                      ('refunded', c.refunds)) AS due (type, times)
                WHERE times > 0) AS x
         WHERE p.id = ANY(%(ids)s::uuid[]) AND n.told <> x.told
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
             LEFT JOIN LATERAL (SELECT * FROM payments p WHERE p.id = e.subject LIMIT 1) AS p ON true
             LEFT JOIN LATERAL (SELECT * FROM wallets v WHERE v.id = e.subject LIMIT 1) AS v ON true
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
