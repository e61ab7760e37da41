"""Which events go to which endpoints: a delivery for each, made by a consumer of the log, or asked for again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import F

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

# A UUIDv7 of the statement's millisecond with a counter (RFC 9562, section 6.2, method 1), and what the client may
# see now. One that an outside issuer vouches for has no row here.
_ADD = """
    INSERT INTO webhook_deliveries
           (id, endpoint_id, position, state, attempts, counted_from, due_at, give_up_at, created_at)
    SELECT (substr(t.hex, 1, 8) || '-' || substr(t.hex, 9) || '-7'
            || lpad(to_hex((row_number() OVER (ORDER BY v.position, e.id) - 1) %% 4096), 3, '0')
            || substr(gen_random_uuid()::text, 19))::uuid,
           e.id, v.position, 'PENDING', 0, 0, t.now, t.now + make_interval(secs => %s), t.now
      FROM events v
      JOIN webhook_endpoints e
        ON (e.types = '{}' OR v.type = ANY(e.types)) AND (e.assets IS NULL OR v.asset = ANY(e.assets))
      LEFT JOIN identity_clients c ON c.id = e.client_id
     CROSS JOIN (SELECT now, lpad(to_hex((extract(epoch FROM now) * 1000)::bigint), 12, '0') AS hex
                   FROM ledger_now() AS now) AS t
     WHERE e.deleted_at IS NULL AND e.enabled
       AND (c.id IS NULL OR c.active AND (c.assets IS NULL OR v.asset = ANY(c.assets)))
"""
_OF_EVENTS = _ADD + " AND v.position = ANY(%s) AND v.position > e.after ON CONFLICT DO NOTHING"
_TO_PROVEN = _OF_EVENTS.replace("ON CONFLICT", "AND e.failures = 0 AND e.succeeded_at IS NOT NULL ON CONFLICT")
# What there is already is sent once more.
_OF_RANGE = (
    _ADD
    + """
       AND e.id = %s AND v.position BETWEEN %s AND %s
    ON CONFLICT (endpoint_id, position) DO UPDATE
       SET state = excluded.state, counted_from = webhook_deliveries.attempts, due_at = excluded.due_at,
           give_up_at = excluded.give_up_at, finished_at = NULL
"""
)


def fan_out(events: Sequence[Event]) -> None:
    """Make the deliveries of events. Those that there are already stay as they are."""
    _make(_OF_EVENTS, events)


def fan_out_to_proven(events: Sequence[Event]) -> None:
    """The same for endpoints whose last attempt succeeded, so that they do not wait for the rows of the others."""
    _make(_TO_PROVEN, events)


def _make(statement: str, events: Sequence[Event]) -> None:
    with connection.cursor() as cursor:
        # What a crash takes back is made again: the consumer's cursor goes back with it.
        cursor.execute("SET LOCAL synchronous_commit = off")
        cursor.execute(statement, [LIFETIME.total_seconds(), [event.position for event in events]])


def redeliver(principal: Principal, delivery_id: UUID, request: KeyedRequest | None) -> Answer:
    """
    Send a delivery again, now, with all of its tries before it.

    :raises Problem: ``not_found``, ``validation_error`` where its endpoint is switched off, those of keys
    """

    def again() -> Answer:
        delivery = get_delivery(principal, delivery_id)
        enabled(get_endpoint(principal, delivery.endpoint_id, lock=True))
        return _shown(send_again(delivery_id))

    return once(request, again)


def send_again(delivery_id: UUID) -> WebhookDelivery:
    """Have a delivery sent now, with all of its tries before it, whatever has become of it; return it."""
    now = clock.now()
    WebhookDelivery.objects.filter(pk=delivery_id).update(
        state=WebhookDelivery.State.PENDING, counted_from=F("attempts"), due_at=now, give_up_at=now + LIFETIME,
        finished_at=None,
    )  # fmt: skip
    return WebhookDelivery.objects.get(pk=delivery_id)


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
        endpoint = enabled(get_endpoint(principal, endpoint_id, lock=True))
        with connection.cursor() as cursor:
            cursor.execute(_OF_RANGE, [LIFETIME.total_seconds(), endpoint.id, first, last])
            return Answer(202, orjson.dumps({"deliveries": cursor.rowcount}), endpoint.id)

    return once(request, again)


def ping(principal: Principal, endpoint_id: UUID, request: KeyedRequest | None) -> Answer:
    """
    Send a test to an endpoint: an event ``webhook.ping``.

    :raises Problem: as ``redeliver``
    """

    def send() -> Answer:
        endpoint, now = enabled(get_endpoint(principal, endpoint_id, lock=True)), clock.now()
        delivery = WebhookDelivery.objects.create(
            id=id_maker(at=now)(), endpoint=endpoint, due_at=now, give_up_at=now + LIFETIME, created_at=now
        )
        return _shown(delivery)

    return once(request, send)


def enabled(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """
    Return an endpoint that is switched on.

    :raises Problem: ``validation_error``
    """
    if not endpoint.enabled:
        raise invalid("", "disabled", "The endpoint is switched off; enable it first.")
    return endpoint


def _shown(delivery: WebhookDelivery) -> Answer:
    return Answer(202, orjson.dumps(represent(delivery)), delivery.id)


# What was sent cannot be taken back: read anew, the log makes no delivery twice.
WEBHOOKS = Consumer(
    "webhooks", "events to clients' webhook endpoints", frozenset(TYPES), apply=fan_out, reset=lambda: None
)
# The sender's own, beside the one that leaves nobody out.
WEBHOOKS_FIRST = Consumer(
    "webhooks-first", "the same, for proven endpoints", frozenset(TYPES), apply=fan_out_to_proven, reset=lambda: None
)
register(WEBHOOKS)
