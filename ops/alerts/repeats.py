"""A consumer of the log that finds payments like one shortly before: the same kind, wallets and amount again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import orjson
from django.db import connection

from events.consumers import Consumer, register
from events.models import Event
from ops.alerts.read_models import LatestPayment, RepeatedPayment

# Not what is done about other payments: those repeat lawfully, or not at all.
KINDS = frozenset({"transfer", "topup", "bonus", "spend"})
REPEATED_WITHIN = timedelta(minutes=10)
NOBODY = UUID(int=0)

Key = tuple[UUID, UUID, str, int]

_KNOWN = """
    SELECT l.sender_wallet_id, l.receiver_wallet_id, l.kind, l.amount, l.payment_id, l.at
      FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[]) AS k (sender, receiver, kind, amount)
      JOIN latest_payments l ON (l.sender_wallet_id, l.receiver_wallet_id, l.kind, l.amount)
                              = (k.sender, k.receiver, k.kind, k.amount)
"""
_KEEP = """
    INSERT INTO latest_payments (sender_wallet_id, receiver_wallet_id, kind, amount, payment_id, at)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::uuid[], %s::timestamptz[])
    ON CONFLICT (sender_wallet_id, receiver_wallet_id, kind, amount) DO UPDATE
       SET payment_id = excluded.payment_id, at = excluded.at
"""


def _compare(events: Sequence[Event]) -> None:
    payments = [(event, orjson.loads(event.data)) for event in events]
    made = [(_key(payment), event, payment) for event, payment in payments if payment["kind"] in KINDS]
    if not made:
        return
    latest = _known({key for key, *_ in made})
    repeated = []
    for key, event, payment in made:
        earlier_id, at = latest.get(key, (None, event.time))
        if earlier_id is not None and event.time - at <= REPEATED_WITHIN:
            repeated.append(
                RepeatedPayment(payment_id=event.subject, earlier_id=earlier_id, asset=payment["asset"], at=event.time)
            )
        latest[key] = event.subject, event.time
    RepeatedPayment.objects.bulk_create(repeated)
    rows = [(*key, *found) for key, found in latest.items()]
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [list(column) for column in zip(*rows, strict=True)])


def _key(payment: dict[str, str | None]) -> Key:
    wallets = (payment["sender_wallet_id"], payment["receiver_wallet_id"])
    sender, receiver = (UUID(wallet) if wallet else NOBODY for wallet in wallets)
    return sender, receiver, str(payment["kind"]), int(str(payment["amount"]).replace(".", ""))


def _known(keys: set[Key]) -> dict[Key, tuple[UUID, datetime]]:
    with connection.cursor() as cursor:
        cursor.execute(_KNOWN, [list(column) for column in zip(*keys, strict=True)])
        return {(*key,): (payment_id, at) for *key, payment_id, at in cursor.fetchall()}


def _clear() -> None:
    RepeatedPayment.objects.all().delete()
    LatestPayment.objects.all().delete()


register(
    Consumer(
        "repeats",
        "payments like one shortly before",
        frozenset({"payment.settled"}),
        apply=_compare,
        reset=_clear,
    )
)
