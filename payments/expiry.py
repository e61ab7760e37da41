"""End the holds whose time is over. Nothing waits for it: a capture is refused by the clock alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from ledger import clock
from payments.commands import Expire
from payments.engine import TooMuch, execute
from payments.models import Payment
from walletplatform.api.problems import Problem
from walletplatform.identity.principal import Principal

logger = logging.getLogger(__name__)
AT_ONCE = 500
# Whom the log and the events name where nobody asked.
PLATFORM = Principal(id=UUID(int=0), kind="client", scopes=frozenset(), assets=None)


def expire_holds() -> Iterator[int]:
    """Release holds that are due by now, the longest overdue first; yield how many were looked at, by and by."""
    now, after = clock.now(), None
    while due := _due(now, after):
        _release([_expire(payment_id) for _, payment_id in due])
        after = due[-1]
        yield len(due)


def _release(commands: list[Expire]) -> None:
    """Release holds together; where that fails, each alone, so that one holds up no other."""
    try:
        execute(commands)
    except Exception as error:
        if isinstance(error, Problem) and error.code == "unavailable" and not isinstance(error, TooMuch):
            raise
        if len(commands) == 1:
            logger.warning("Hold %s is not released now: %s", commands[0].payment_id, error)
            return
        for command in commands:
            _release([command])


def _due(now: datetime, after: tuple[datetime, UUID] | None) -> list[tuple[datetime, UUID]]:
    """The next overdue holds. Those before ``after`` are done, or not due by their accounts' clock."""
    holds = Payment.objects.filter(status=Payment.Status.AUTHORIZED, expires_at__lte=now)
    if after is not None:
        moment, payment_id = after
        holds = holds.filter(Q(expires_at__gt=moment) | Q(expires_at=moment, id__gt=payment_id))
    rows = holds.order_by("expires_at", "id").values_list("expires_at", "id")[:AT_ONCE]
    return [(expires_at, payment_id) for expires_at, payment_id in rows if expires_at is not None]


def _expire(payment_id: UUID) -> Expire:
    return Expire(
        principal=PLATFORM, key="", fingerprint=b"", request_id="expiry", traceparent="", keeps_key=False,
        payment_id=payment_id,
    )  # fmt: skip
