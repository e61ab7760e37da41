"""Which clients' payments fail most, and how many of theirs that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from ops.failures.models import PEOPLE
from ops.failures.naming import PEOPLES
from ops.windows import DAY, HOUR, Range, floor

_READ = """
    SELECT f.client_id::text, min(c.name), coalesce(sum(f.payments) FILTER (WHERE f.outcome = 'failed'), 0)::bigint,
           sum(f.payments)::bigint
      FROM failure_clients f LEFT JOIN identity_clients c ON c.id = f.client_id
     WHERE f.asset = ANY(%(assets)s)
       AND (f.span = 'day' AND f.begins_at >= %(begins)s AND f.begins_at < %(today)s
            OR f.span = 'hour' AND f.begins_at >= %(today)s)
     GROUP BY 1 HAVING sum(f.payments) FILTER (WHERE f.outcome = 'failed') > 0
     ORDER BY 3 DESC, 1 LIMIT %(limit)s
"""


def top(chosen: Range, now: datetime, assets: Sequence[str], limit: int = 5) -> list[dict[str, Any]]:
    """
    Return the clients with the most failures in a range: id, name, failed, and all of their payments.

    Their figures are by the hour: of the last hour's range it is the hours that it touches.
    """
    begins = floor(chosen.window(now).begins, HOUR)
    # Days are read as such where the range begins with one.
    today = floor(now, DAY) if chosen.step == DAY else begins
    with connection.cursor() as cursor:
        cursor.execute(_READ, {"assets": list(assets), "begins": begins, "today": today, "limit": limit})
        rows = cursor.fetchall()
    return [
        {"id": pk, "name": name or (PEOPLES if pk == str(PEOPLE) else pk), "failed": failed, "payments": payments}
        for pk, name, failed, payments in rows
    ]
