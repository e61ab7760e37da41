"""A client's deliveries, as the API shows them: each with the event it brings, and every attempt at it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection

from events.models import Event, WebhookAttempt, WebhookDelivery
from events.webhooks.endpoints import endpoints_of
from walletplatform.api.problems import Problem
from walletplatform.api.times import time_text
from walletplatform.identity.principal import Principal

# For each endpoint and state the latest few, by index; of these the latest.
_LATEST = """
    SELECT found.id
      FROM unnest(%(endpoints)s::uuid[]) AS e (id) CROSS JOIN unnest(%(states)s::text[]) AS s (state)
     CROSS JOIN LATERAL (
           SELECT d.id FROM webhook_deliveries d
            WHERE d.endpoint_id = e.id AND d.state = s.state AND (%(before)s::uuid IS NULL OR d.id < %(before)s)
            ORDER BY d.id DESC LIMIT %(limit)s) AS found
     ORDER BY found.id DESC LIMIT %(limit)s
"""


def represent(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery as the API shows it; ``sequence`` is its event's position, None for a test's."""
    pending = delivery.state == WebhookDelivery.State.PENDING
    return {
        "id": str(delivery.id),
        "endpoint_id": str(delivery.endpoint_id),
        "sequence": None if delivery.position is None else str(delivery.position),
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": time_text(delivery.due_at) if pending else None,
        "created_at": time_text(delivery.created_at),
        "finished_at": time_text(delivery.finished_at) if delivery.finished_at else None,
    }


def represent_whole(delivery: WebhookDelivery) -> dict[str, Any]:
    """Return a delivery with its event's type and id, and its attempts."""
    event = Event.objects.filter(position=delivery.position or 0).first()
    return represent(delivery) | {
        "event_id": str(event.event_id if event else delivery.id),
        "event_type": event.type if event else "webhook.ping",
        "tried": [_represent_attempt(one) for one in delivery.tried.order_by("number")],
    }


def get_delivery(principal: Principal, delivery_id: UUID) -> WebhookDelivery:
    """
    Return a delivery to an endpoint of the principal's.

    :raises Problem: ``not_found``
    """
    found = WebhookDelivery.objects.filter(pk=delivery_id, endpoint__in=endpoints_of(principal)).first()
    if found is None:
        raise Problem("not_found", "There is no such delivery.")
    return found


def latest_deliveries(
    principal: Principal, *, endpoint_id: UUID | None, state: str | None, before: UUID | None, limit: int
) -> list[WebhookDelivery]:
    """Return deliveries, the latest first; of one endpoint and state, or of all."""
    endpoints = endpoints_of(principal)
    if endpoint_id is not None:
        endpoints = endpoints.filter(pk=endpoint_id)
    asked = {
        "endpoints": list(endpoints.values_list("pk", flat=True)),
        "states": [state] if state else WebhookDelivery.State.values,
        "before": before,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_LATEST, asked)
        ids = [delivery_id for (delivery_id,) in cursor.fetchall()]
    return list(WebhookDelivery.objects.filter(pk__in=ids).order_by("-pk"))


def _represent_attempt(attempt: WebhookAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "started_at": time_text(attempt.started_at),
        "milliseconds": attempt.milliseconds,
        "status": attempt.status,
        "error": attempt.error or None,
        "answer": attempt.answer or None,
    }
