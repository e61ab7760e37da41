"""How much waits for somebody on each page of the sidebar: one statement, whose answer is ten seconds old at most."""

from __future__ import annotations

from typing import Any

import orjson
from django.db import connection
from django.http import HttpRequest

from ops.approvals.actions import ACTIONS
from walletplatform.cache.redis import ask

NAME, SECONDS = "console:badges", 10
MOST = 100
_COUNTS = f"""
    SELECT jsonb_build_object(
      'ops_alert_changelist', (SELECT count(*) FROM (
            SELECT FROM alerts WHERE urgency > 0 AND state IN ('PENDING', 'SENT')
               AND severity IN ('critical', 'warning') LIMIT {MOST}) AS x),
      'ops_finding_changelist', (SELECT count(*) FROM (
            SELECT FROM reconciliation_findings WHERE state = 'OPEN' AND state <> 'RESOLVED' LIMIT {MOST}) AS x),
      'events_parkedevent_changelist', (SELECT count(*) FROM (SELECT FROM parked_events LIMIT {MOST}) AS x),
      'events_webhookdelivery_changelist', (SELECT count(*) FROM (
            SELECT FROM webhook_endpoints e CROSS JOIN LATERAL (
                   SELECT FROM webhook_deliveries d WHERE d.endpoint_id = e.id AND d.state = 'DEAD'
                    LIMIT {MOST}) AS dead LIMIT {MOST}) AS x),
      'ops_job_changelist', (SELECT count(*) FROM (SELECT FROM jobs WHERE state = 'DEAD' LIMIT {MOST}) AS x),
      -- By maker and action: nobody waits for what they have asked for themselves, or may not decide about.
      'ops_approval_changelist', (SELECT coalesce(jsonb_object_agg(maker_id || ' ' || action, waiting), '{{}}') FROM (
            SELECT maker_id, action, count(*) AS waiting FROM (
                   SELECT maker_id, action FROM approvals WHERE state = 'PENDING' LIMIT {MOST}) AS x
             GROUP BY 1, 2) AS x))::text
"""
APPROVALS = "ops_approval_changelist"


def badge(request: HttpRequest, page: str) -> str:
    """Return what stands beside a page for who looks at it; "" where nothing waits there."""
    counts = _counts(request)
    waiting = counts.get(page, 0)
    if page == APPROVALS:
        waiting = _for_me(request.user, counts.get(page, {}))
    return f"{MOST - 1}+" if waiting >= MOST else str(waiting or "")


def _for_me(user: Any, waiting: dict[str, int]) -> int:
    mine = 0
    for asked, count in waiting.items():
        maker, _, action = asked.partition(" ")
        if maker != str(user.pk) and action in ACTIONS and user.has_perm(ACTIONS[action].decided_by):
            mine += count
    return mine


def _counts(request: HttpRequest) -> dict[str, Any]:
    """Read them once for a page, and from Redis where they are there."""
    kept: dict[str, Any] | None = getattr(request, "badges", None)
    if kept is None:
        kept = _stored() or _read()
        request.badges = kept  # type: ignore[attr-defined]
    return kept


def _stored() -> dict[str, Any] | None:
    stored = ask("badges", lambda redis: redis.get(NAME), None)
    try:
        found = orjson.loads(stored) if stored else None
    except ValueError:
        return None
    # Not ours: as if there were none.
    return found if isinstance(found, dict) and isinstance(found.get(APPROVALS), dict) else None


def _read() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS)
        (told,) = cursor.fetchone()
    ask("badges", lambda redis: redis.set(NAME, told, ex=SECONDS), None)
    counts: dict[str, Any] = orjson.loads(told)
    return counts
