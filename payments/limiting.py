"""Set what a wallet may pay at most: less by one person at once, more by two."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import connection
from django.db.models.expressions import RawSQL
from django.db.transaction import atomic

from ledger import clock
from ledger.idempotency import KeyedRequest
from ledger.ids import lowest_id
from ledger.keyed import Answer, once_under_lock
from payments.models import WalletLimits, WalletSpending
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import of_principal
from walletplatform.audit.trail import record
from walletplatform.identity.principal import Principal
from wallets.changing import locked_wallet, renew
from wallets.models import Wallet

# What ``limits.count`` has counted, or would have: payments that did not fail, by when they were made, and by how much
# authorizations were raised. A day is a span of ids, which begin with their moment.
_RECOUNT = """
    SELECT coalesce(sum(more), 0) FROM (
        SELECT p.amount AS more FROM payments AS p
         WHERE p.sender_id = %(wallet)s AND p.kind = ANY(ARRAY['transfer', 'spend', 'authorization'])
           AND p.status = ANY(ARRAY['CREATED', 'AUTHORIZED', 'SETTLED', 'VOIDED', 'EXPIRED'])
           AND p.id >= %(first)s AND p.id < %(end)s AND p.parent_id IS NULL
        UNION ALL
        SELECT c.amount - coalesce(
                   (SELECT e.amount FROM payments AS e
                     WHERE e.parent_id = c.parent_id AND e.kind = 'authorization' AND e.status = 'SETTLED'
                       AND (e.created_at, e.id) < (c.created_at, c.id)
                     ORDER BY e.created_at DESC, e.id DESC LIMIT 1),
                   (SELECT o.amount FROM payments AS o WHERE o.id = c.parent_id))
          FROM payments AS c
         WHERE c.sender_id = %(wallet)s AND c.kind = 'authorization' AND c.status = 'SETTLED'
           AND c.id >= %(first)s AND c.id < %(end)s AND c.parent_id IS NOT NULL) AS counted
     WHERE more > 0
"""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits in minor units; None is no limit."""

    per_payment: int | None
    per_day: int | None

    def allow_more_than(self, others: Bounds) -> bool:
        """Whether more may be paid with these than with others."""
        return _more(self.per_payment, others.per_payment) or _more(self.per_day, others.per_day)


def _more(one: int | None, other: int | None) -> bool:
    return other is not None and (one is None or one > other)


def bounds_of(wallet: Wallet) -> Bounds:
    """Return the limits that a wallet has, as they were when first asked for of this object."""
    try:
        return Bounds(wallet.limits.per_payment, wallet.limits.per_day)
    except WalletLimits.DoesNotExist:
        return Bounds(None, None)


def left_today(wallet_id: UUID, bounds: Bounds) -> int | None:
    """Return what is left of the day, None where it has no limit."""
    if bounds.per_day is None:
        return None
    today = RawSQL("(SELECT (ledger_now() AT TIME ZONE 'UTC')::date)", ())
    spent = WalletSpending.objects.filter(wallet_id=wallet_id, day=today).values_list("spent", flat=True).first()
    return max(bounds.per_day - (spent or 0), 0)


@atomic(durable=True)
def lower_limits(*, principal: Principal, wallet_id: UUID, wanted: Bounds, reason: str, expected_etag: str) -> Wallet:
    """
    Set limits, none of them higher than it is, and return the wallet.

    :raises Problem: ``not_found``; ``precondition_failed`` where the wallet has changed; ``invalid_state`` where it is
        CLOSED, where a limit would be raised, or nothing changed
    """
    wallet = locked_wallet(wallet_id, expected_etag)
    if wanted.allow_more_than(bounds_of(wallet)):
        raise Problem("invalid_state", "A limit is raised or taken away by two people.", current_state=wallet.status)
    _set(principal, wallet, wanted, reason)
    return wallet


def set_limits_once(
    request: KeyedRequest, *, principal: Principal, wallet_id: UUID, wanted: Bounds, reason: str, expected_etag: str
) -> Answer:
    """
    Set limits as two people have approved, which the database keeps to; once for its key.

    :raises Problem: as ``lower_limits``, and those of keys
    """

    def act() -> Answer:
        _set(principal, locked_wallet(wallet_id, expected_etag), wanted, reason)
        return Answer(200, orjson.dumps(asdict(wanted)), wallet_id)

    return once_under_lock(request, act)


def _set(principal: Principal, wallet: Wallet, wanted: Bounds, reason: str) -> None:
    before = bounds_of(wallet)
    if wanted == before:
        raise Problem("invalid_state", "These are the limits already.", current_state=wallet.status)
    # The clock as the money path reads it: never behind what the account has booked.
    now = max(clock.now(), wallet.account.booked_at or _NEVER)
    changes: dict[str, Any] = asdict(wanted) | {"updated_at": now}
    if wanted.per_day is None:
        changes["counted_from"] = None
    elif before.per_day is None:
        changes["counted_from"] = now.astimezone(UTC).date()
        _begin_to_count(wallet.pk, changes["counted_from"])
    WalletLimits.objects.update_or_create(wallet=wallet, defaults=changes)
    renew(wallet)
    record(
        actor=of_principal(principal),
        action="wallet.limits",
        object_type="wallet",
        object_id=wallet.pk,
        before=asdict(before),
        after=asdict(wanted) | {"version": wallet.version},
        reason=reason,
    )


def _begin_to_count(wallet_id: UUID, day: date) -> None:
    """Count what was paid on the day before there was a limit; the lock on the account keeps it from growing."""
    begins = datetime.combine(day, time(), UTC)
    span = {"first": lowest_id(begins), "end": lowest_id(begins + timedelta(days=1)), "wallet": wallet_id}
    with connection.cursor() as cursor:
        cursor.execute(_RECOUNT, span)
        [(spent,)] = cursor.fetchall()
    WalletSpending.objects.bulk_create(
        [WalletSpending(wallet_id=wallet_id, day=day, spent=spent)],
        update_conflicts=True, unique_fields=["wallet_id", "day"], update_fields=["spent"],
    )  # fmt: skip
