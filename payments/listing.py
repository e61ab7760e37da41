"""
Find payments page by page, newest first, by an index whatever the filters.

The indexes end in (kind, status, id). A filter that leaves kind or status open is asked once for each
value they can have, ``LIMIT`` rows each: some dozens of look-ups, however large the table, where a
scan for something rare would read all of it. Kind and status stand in row comparisons, not equations:
told that only id varies, the planner would walk the primary key, past every row where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from ledger.ids import lowest_id
from ledger.models import Asset
from payments.models import Payment
from walletplatform.identity.principal import Principal
from wallets.visibility import visible_wallets

_LATERAL = """
    SELECT found.id
      FROM unnest(%(sides)s::{type}[]) AS side
     CROSS JOIN unnest(%(kinds)s::text[]) AS kind
     CROSS JOIN unnest(%(statuses)s::text[]) AS status
     CROSS JOIN LATERAL (
            SELECT p.id FROM payments AS p
             WHERE (p.{column}, p.kind, p.status, p.id) < (side.side, kind.kind, status.status, %(below)s)
               AND (p.{column}, p.kind, p.status, p.id) >= (side.side, kind.kind, status.status, %(from_id)s)
               AND p.created_at >= %(since)s AND p.created_at < %(until)s {visible}
             ORDER BY p.{column} DESC, p.kind DESC, p.status DESC, p.id DESC LIMIT %(limit)s) AS found
"""
_OF_ASSETS = "AND (%(assets)s::text[] IS NULL OR p.asset = ANY(%(assets)s))"
# Whom a payment did not reach, it does not concern: an end user sees no failed attempts of others.
_TO_RECEIVER = "AND (NOT %(is_user)s OR p.status <> 'FAILED')"
_BY_ASSET = _LATERAL.format(column="asset", type="text", visible="") + " ORDER BY id DESC LIMIT %(limit)s"
_BY_WALLET = (
    _LATERAL.format(column="sender_id", type="uuid", visible=_OF_ASSETS)
    + " UNION "
    + _LATERAL.format(column="receiver_id", type="uuid", visible=f"{_OF_ASSETS} {_TO_RECEIVER}")
    + " ORDER BY id DESC LIMIT %(limit)s"
)
_ALL = """
    SELECT p.id FROM payments AS p
     WHERE p.id < %(below)s AND p.id >= %(from_id)s
       AND p.created_at >= %(since)s AND p.created_at < %(until)s
     ORDER BY p.id DESC LIMIT %(limit)s
"""
_OF_ITS_SENDER = """AND (NOT %(is_user)s OR p.status <> 'FAILED'
                        OR EXISTS (SELECT FROM wallets w WHERE w.id = p.sender_id AND w.user_id = %(caller)s))"""
# What came of one payment is never much: its index, then the filters.
_OF_PARENT = f"""
    SELECT p.id FROM payments AS p
     WHERE p.parent_id = %(parent)s AND p.id < %(below)s AND p.id >= %(from_id)s
       AND p.created_at >= %(since)s AND p.created_at < %(until)s
       AND p.kind = ANY(%(kinds)s) AND p.status = ANY(%(statuses)s) {_OF_ASSETS} {_OF_ITS_SENDER}
     ORDER BY p.id DESC LIMIT %(limit)s
"""
_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_END = datetime.fromisoformat("9999-12-31T00:00:00+00:00")
_HIGHEST = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list is narrowed to; None leaves it open."""

    wallet_id: UUID | None = None
    kind: str | None = None
    status: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    parent_id: UUID | None = None
    only_posted: bool = False

    @property
    def kinds(self) -> list[str]:
        """The kinds to look for. An authorization posts nothing: its captures do."""
        kinds = [self.kind] if self.kind else Payment.Kind.values
        return [kind for kind in kinds if not (self.only_posted and kind == Payment.Kind.AUTHORIZATION)]


def payment_ids(*, principal: Principal, filters: Filters, after: UUID | None, limit: int) -> list[UUID]:
    """Return the ids of up to ``limit`` payments that the principal may see, newest first."""
    since = max(filters.created_from or _BEGINNING, _BEGINNING)
    until = max(filters.created_to or _END, _BEGINNING)
    parameters: dict[str, Any] = {
        "kinds": filters.kinds,
        "statuses": [filters.status] if filters.status else Payment.Status.values,
        "since": since,
        "until": until,
        # An id begins with the millisecond of created_at, so a span of time is a span of ids.
        "from_id": lowest_id(since),
        "below": min(after or _HIGHEST, _ceiling(until)),
        "limit": limit,
        "assets": None if principal.assets is None else sorted(principal.assets),
        "is_user": principal.is_user,
        "caller": principal.id,
    }
    if filters.parent_id is not None:
        return _run(_OF_PARENT, parameters | {"parent": filters.parent_id})
    if filters.wallet_id is not None:
        return _run(_BY_WALLET, parameters | {"sides": [filters.wallet_id]})
    if principal.is_user:
        own = list(visible_wallets(principal).values_list("pk", flat=True))
        return _run(_BY_WALLET, parameters | {"sides": own})
    if principal.assets is None and not filters.kind and not filters.status:
        return _run(_ALL, parameters)
    assets = principal.assets
    if assets is None:
        assets = frozenset(Asset.objects.values_list("code", flat=True))
    return _run(_BY_ASSET, parameters | {"sides": sorted(assets)})


def in_order(ids: Sequence[UUID]) -> list[Payment]:
    """Return the payments with these ids, in this order, with what shows them."""
    found = Payment.objects.select_related("asset", "sender", "receiver", "failure").in_bulk(ids)
    return [found[payment_id] for payment_id in ids]


def _ceiling(moment: datetime) -> UUID:
    """The lowest id above every id of the moment's millisecond."""
    return UUID(int=lowest_id(moment).int | (1 << 80) - 1)


def _run(sql: str, parameters: dict[str, Any]) -> list[UUID]:
    if parameters.get("sides") == []:
        return []
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [payment_id for (payment_id,) in cursor.fetchall()]
