"""How everything stands at this moment: one statement, each part of which is looked up or counted only so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from payments.models import Payment

# Counting further would cost more than it tells.
MOST = 2_000
RUNS = 24
_STATE = f"""
    SELECT jsonb_build_object(
      'active', (SELECT count(*) FROM (SELECT FROM wallets w WHERE w.asset = ANY(%(assets)s) AND w.status = 'ACTIVE'
                                        LIMIT {MOST}) AS x),
      'suspended', (SELECT count(*) FROM (SELECT FROM wallets w WHERE w.asset = ANY(%(assets)s)
                                             AND w.status = 'SUSPENDED' LIMIT {MOST}) AS x),
      'held', (SELECT coalesce(jsonb_object_agg(asset, held::text), '{{}}') FROM (
                      SELECT asset, sum(held) AS held FROM open_holds WHERE asset = ANY(%(assets)s) GROUP BY 1) AS x),
      'holds', (SELECT count(*) FROM (SELECT FROM open_holds WHERE asset = ANY(%(assets)s) LIMIT {MOST}) AS x),
      'overdue', (SELECT count(*) FROM (SELECT FROM open_holds WHERE asset = ANY(%(assets)s)
                                           AND expires_at < %(now)s - interval '5 minutes' LIMIT {MOST}) AS x),
      'waiting', (SELECT jsonb_build_object('payments', count(*), 'oldest', min(created_at)) FROM (
                         SELECT p.created_at FROM payments p WHERE p.asset = ANY(%(assets)s) AND p.kind = ANY(%(kinds)s)
                            AND p.status = 'CREATED' LIMIT {MOST}) AS x),
      'outbox', (SELECT jsonb_build_object('waiting', (
                            SELECT count(*) FROM (SELECT FROM outbox_events LIMIT {MOST}) AS x), 'seconds', (
                            SELECT extract(epoch FROM clock_timestamp() - time)::int FROM outbox_events
                             ORDER BY id LIMIT 1))),
      'reader', (SELECT jsonb_build_object('name', name, 'behind',
                            (SELECT coalesce(max(position), 0) FROM events) - position)
                   FROM event_cursors ORDER BY position, name LIMIT 1),
      'events', (SELECT coalesce(max(position), 0) FROM events),
      'parked', (SELECT count(*) FROM (SELECT FROM parked_events LIMIT {MOST}) AS x),
      'deliveries', (SELECT count(*) FROM (
                            SELECT FROM webhook_endpoints e CROSS JOIN LATERAL (
                                   SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'DEAD'
                                    LIMIT {MOST}) AS dead LIMIT {MOST}) AS x),
      'jobs', (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'DEAD' LIMIT {MOST}) AS x),
      'findings', (SELECT count(*) FROM (
                          SELECT FROM reconciliation_findings WHERE state = 'OPEN' AND state <> 'RESOLVED'
                           LIMIT {MOST}) AS x),
      'runs', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', id, 'kind', kind, 'state', state, 'at', started_at,
                                                            'finished', finished_at) ORDER BY id DESC), '[]') FROM (
                      SELECT * FROM reconciliation_runs ORDER BY id DESC LIMIT {RUNS}) AS x),
      'summary', (SELECT to_jsonb(x) FROM (
                         SELECT id, title, claims, written_by, model, begins_at, finished_at FROM ai_summaries
                          WHERE kind = 'daily' AND state = 'DONE' ORDER BY begins_at DESC, id DESC LIMIT 1) AS x))::text
"""


def state(assets: Sequence[str], now: datetime) -> dict[str, Any]:
    """Return how wallets and payments of some assets stand, and all that keeps watch over them."""
    with connection.cursor() as cursor:
        cursor.execute(_STATE, {"now": now, "assets": list(assets), "kinds": Payment.Kind.values})
        (found,) = cursor.fetchone()
    told: dict[str, Any] = orjson.loads(found)
    return told
