"""The consumers that build the read models: figures, open holds, settlement totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from events.consumers import Consumer, register
from events.models import Event
from events.types import PAYMENT_EVENTS
from ops.models import OpenHold, PaymentFigure, SettlementTotal

_ADD_FIGURES = """
    INSERT INTO payment_figures AS known (span, begins_at, kind, asset, outcome, code, payments, amount)
    SELECT span, date_trunc(span, time, 'UTC'), kind, asset, outcome, code, count(*), sum(amount)
      FROM unnest(%s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[])
           AS told (time, kind, asset, outcome, code, amount)
     CROSS JOIN (VALUES ('minute'), ('hour'), ('day')) AS spans (span)
     GROUP BY 1, 2, 3, 4, 5, 6
     ORDER BY 1, 2, 3, 4, 5, 6
    ON CONFLICT (span, begins_at, kind, asset, outcome, code) DO UPDATE
       SET payments = known.payments + excluded.payments, amount = known.amount + excluded.amount
"""
_ADD_SETTLEMENT = """
    INSERT INTO settlement_totals AS known (day, account_id, account_kind, asset, entries, debits, credits)
    SELECT (time AT TIME ZONE 'UTC')::date, account_id, kind, asset, count(*),
           coalesce(sum(amount) FILTER (WHERE direction = 'DEBIT'), 0),
           coalesce(sum(amount) FILTER (WHERE direction = 'CREDIT'), 0)
      FROM unnest(%s::timestamptz[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::numeric[])
           AS told (time, account_id, kind, asset, direction, amount)
     GROUP BY 1, 2, 3, 4
     ORDER BY 1, 2
    ON CONFLICT (day, account_id) DO UPDATE
       SET entries = known.entries + excluded.entries, debits = known.debits + excluded.debits,
           credits = known.credits + excluded.credits
"""


def _count(events: Sequence[Event]) -> None:
    rows = []
    for event in events:
        payment = orjson.loads(event.data)
        failure = payment["failure"] or {}
        rows.append(
            (
                event.time, payment["kind"], payment["asset"], event.type.removeprefix("payment."),
                failure.get("code", ""), _amount(event.type, payment),
            )
        )  # fmt: skip
    _insert(_ADD_FIGURES, rows)


def _amount(type: str, payment: dict[str, Any]) -> int:
    """What an event adds to the figures: see ``PaymentFigure``."""
    if type in ("payment.settled", "payment.failed"):
        return _minor(payment["amount"])
    if type in ("payment.voided", "payment.expired"):
        return _minor(payment["authorized_amount"] or payment["amount"])
    return 0


def _add_up(events: Sequence[Event]) -> None:
    _insert(
        _ADD_SETTLEMENT,
        [
            (
                event.time, entry["account_id"], entry["account_kind"], entry["asset"], entry["direction"],
                _minor(entry["amount"]),
            )
            for event in events
            for entry in orjson.loads(event.data)["entries"]
        ],
    )  # fmt: skip


def _hold(events: Sequence[Event]) -> None:
    """Keep each authorization's latest word: what is still held of it, or that nothing is."""
    open_holds: dict[str, OpenHold | None] = {}
    for event in events:
        payment = orjson.loads(event.data)
        if payment["kind"] == "authorization":
            open_holds[payment["id"]] = _open_hold(payment) if payment["status"] == "AUTHORIZED" else None
    OpenHold.objects.filter(payment_id__in=list(open_holds)).delete()
    OpenHold.objects.bulk_create([hold for hold in open_holds.values() if hold])


def _open_hold(payment: dict[str, Any]) -> OpenHold:
    return OpenHold(
        payment_id=payment["id"],
        asset=payment["asset"],
        sender_wallet_id=payment["sender_wallet_id"],
        held=_minor(payment["authorized_amount"]) - _minor(payment["captured_amount"]),
        created_at=datetime.fromisoformat(payment["created_at"]),
        expires_at=datetime.fromisoformat(payment["expires_at"]),
    )


def _minor(amount: str) -> int:
    """Amounts are told with all decimals of their asset."""
    return int(amount.replace(".", ""))


def _insert(statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [list(column) for column in zip(*rows, strict=True)])


def _clear(*models: Any) -> Any:
    def clear() -> None:
        for model in models:
            model.objects.all().delete()

    return clear


register(
    Consumer(
        "figures",
        "payments by minute, hour and day",
        frozenset(PAYMENT_EVENTS),
        apply=_count,
        reset=_clear(PaymentFigure),
    )
)
register(
    Consumer(
        "holds",
        "what is authorized and still held",
        frozenset({"payment.authorized", "payment.captured", "payment.voided", "payment.expired"}),
        apply=_hold,
        reset=_clear(OpenHold),
    )
)
register(
    Consumer(
        "settlement",
        "daily totals by counterparty",
        frozenset({"payment.settled"}),
        apply=_add_up,
        reset=_clear(SettlementTotal),
    )
)
