"""The consumer that builds what failure analysis reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from django.db import connection

from events.consumers import Consumer, register
from events.models import Event
from ops.failures.models import PEOPLE, ClientFigure, FailedPayment

# Who asked is not told by an event; it never changes, and neither does whether that is a client.
_CLIENTS = """
    SELECT p.id, coalesce(c.id, %s) FROM payments p LEFT JOIN identity_clients c ON c.id = p.principal_id
     WHERE p.id = ANY(%s)
"""
_ADD_FIGURES = """
    INSERT INTO failure_clients AS known (span, begins_at, client_id, asset, outcome, payments, amount)
    SELECT span, date_trunc(span, time, 'UTC'), client_id, asset, outcome, count(*), sum(amount)
      FROM unnest(%s::timestamptz[], %s::uuid[], %s::text[], %s::text[], %s::numeric[])
           AS told (time, client_id, asset, outcome, amount)
     CROSS JOIN (VALUES ('hour'), ('day')) AS spans (span)
     GROUP BY 1, 2, 3, 4, 5
     ORDER BY 1, 2, 3, 4, 5
    ON CONFLICT (span, begins_at, client_id, asset, outcome) DO UPDATE
       SET payments = known.payments + excluded.payments, amount = known.amount + excluded.amount
"""


def _take(events: Sequence[Event]) -> None:
    payments = [orjson.loads(event.data) for event in events]
    clients = _clients([event.subject for event in events])
    FailedPayment.objects.bulk_create(
        [
            _failed(event, payment, clients[event.subject])
            for event, payment in zip(events, payments, strict=True)
            if event.type == "payment.failed"
        ]
    )
    rows = [
        (event.time, clients[event.subject], payment["asset"], event.type.removeprefix("payment."), _minor(payment))
        for event, payment in zip(events, payments, strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(_ADD_FIGURES, [list(column) for column in zip(*rows, strict=True)])


def _clients(payments: Sequence[UUID]) -> dict[UUID, UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_CLIENTS, [PEOPLE, list(payments)])
        return dict(cursor.fetchall())


def _failed(event: Event, payment: dict[str, Any], client_id: UUID) -> FailedPayment:
    return FailedPayment(
        payment_id=event.subject,
        failed_at=event.time,
        kind=payment["kind"],
        asset=payment["asset"],
        code=payment["failure"]["code"],
        category=payment["failure"]["category"],
        client_id=client_id,
        wallet_id=payment["sender_wallet_id"] or payment["receiver_wallet_id"],
        amount=_minor(payment),
    )


def _minor(payment: dict[str, Any]) -> int:
    """Amounts are told with all decimals of their asset."""
    return int(payment["amount"].replace(".", ""))


def _reset() -> None:
    FailedPayment.objects.all().delete()
    ClientFigure.objects.all().delete()


register(
    Consumer(
        "failures",
        "failed payments, and what came of each client's",
        frozenset({"payment.settled", "payment.failed"}),
        apply=_take,
        reset=_reset,
    )
)
