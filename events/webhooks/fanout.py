"""Which events go to which endpoints: a delivery for each, made by a consumer of the log, or asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import F, QuerySet

from events.consumers import Consumer, register
from events.models import Event, WebhookDelivery, WebhookEndpoint
from events.types import TYPES
from events.webhooks.deliveries import get_delivery, represent
from events.webhooks.endpoints import get_endpoint
from ledger import clock
from ledger.idempotency import KeyedRequest
from ledger.ids import id_maker
from ledger.keyed import Answer, once
from walletplatform.api.problems import invalid
from walletplatform.identity.principal import Principal

# Somewhat longer than the retry schedule: an endpoint that is spared may not get all of its tries.
LIFETIME = timedelta(days=4)
MOST_AT_ONCE = 10_000

# What the client may see now. One that an outside issuer vouches for has no row here.
_WANTED = """
    SELECT e.id, v.position
      FROM events v
      JOIN webhook_endpoints e
        ON (e.types = '{}' OR v.type = ANY(e.types)) AND (e.assets IS NULL OR v.asset = ANY(e.assets))
      LEFT JOIN identity_clients c ON c.id = e.client_id
     WHERE e.deleted_at IS NULL AND e.enabled
       AND (c.id IS NULL OR c.active AND (c.assets IS NULL OR v.asset = ANY(c.assets)))
"""
_FRESH = _WANTED + " AND v.position = ANY(%s) AND v.position > e.after ORDER BY v.position"
_RANGE = _WANTED + " AND e.id = %s AND v.position BETWEEN %s AND %s ORDER BY v.position"


def fan_out(events: Sequence[Event]) -> None:
    """Make the deliveries of events. Those that there are already stay as they are."""
    with connection.cursor() as cursor:
        cursor.execute(_FRESH, [[event.position for event in events]])
        wanted = cursor.fetchall()
    if wanted:
        _add(wanted)


def redeliver(principal: Principal, delivery_id: UUID, request: KeyedRequest | None) -> Answer:
    """
    Send a delivery again, now, with all of its tries before it.

    :raises Problem: ``not_found``, ``validation_error`` where its endpoint is switched off, those of keys
    """

    def again() -> Answer:
        delivery = get_delivery(principal, delivery_id)
        _enabled(get_endpoint(principal, delivery.endpoint_id, lock=True))
        _again(WebhookDelivery.objects.filter(pk=delivery_id))
        return _shown(get_delivery(principal, delivery_id))

    return once(request, again)


def redeliver_range(
    principal: Principal, endpoint_id: UUID, *, first: int, last: int, request: KeyedRequest | None
) -> Answer:
    """
    Send what an endpoint wants of the events ``first`` to ``last``: once more, or for the first time.

    Also what was before the endpoint's time.

    :raises Problem: as ``redeliver``
    """
    if last < first or last - first >= MOST_AT_ONCE:
        raise invalid("/last", "invalid_range", f"From first on, {MOST_AT_ONCE} positions at most.")

    def again() -> Answer:
        endpoint = _enabled(get_endpoint(principal, endpoint_id, lock=True))
        with connection.cursor() as cursor:
            cursor.execute(_RANGE, [endpoint.id, first, last])
            wanted = cursor.fetchall()
        _again(WebhookDelivery.objects.filter(endpoint=endpoint, position__in=[position for _, position in wanted]))
        _add(wanted)
        return Answer(202, orjson.dumps({"deliveries": len(wanted)}), endpoint.id)

    return once(request, again)


def ping(principal: Principal, endpoint_id: UUID, request: KeyedRequest | None) -> Answer:
    """
    Send a test to an endpoint: an event ``webhook.ping``.

    :raises Problem: as ``redeliver``
    """

    def send() -> Answer:
        endpoint, now = _enabled(get_endpoint(principal, endpoint_id, lock=True)), clock.now()
        delivery = WebhookDelivery.objects.create(
            id=id_maker(at=now)(), endpoint=endpoint, due_at=now, give_up_at=now + LIFETIME, created_at=now
        )
        return _shown(delivery)

    return once(request, send)


def _enabled(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    if not endpoint.enabled:
        raise invalid("", "disabled", "The endpoint is switched off; enable it first.")
    return endpoint


def _shown(delivery: WebhookDelivery) -> Answer:
    return Answer(202, orjson.dumps(represent(delivery)), delivery.id)


def _add(wanted: Sequence[tuple[UUID, int]]) -> None:
    now = clock.now()
    new_id = id_maker(at=now)
    WebhookDelivery.objects.bulk_create(
        [
            WebhookDelivery(
                id=new_id(), endpoint_id=endpoint, position=position,
                due_at=now, give_up_at=now + LIFETIME, created_at=now,
            )
            for endpoint, position in wanted
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def _again(deliveries: QuerySet[WebhookDelivery]) -> None:
    now = clock.now()
    deliveries.update(
        state=WebhookDelivery.State.PENDING, counted_from=F("attempts"), due_at=now, give_up_at=now + LIFETIME,
        finished_at=None,
    )  # fmt: skip


register(
    # What was sent cannot be taken back: read anew, the log makes no delivery twice.
    Consumer("webhooks", "events to clients' webhook endpoints", frozenset(TYPES), apply=fan_out, reset=lambda: None)
)
