"""What staff do about webhooks: send a delivery again, and switch an endpoint off and on. In the audit trail, each."""

from __future__ import annotations

from uuid import UUID

from django.db.transaction import atomic

from events.models import WebhookDelivery, WebhookEndpoint
from events.webhooks.deliveries import represent as represent_delivery
from events.webhooks.endpoints import represent
from events.webhooks.fanout import enabled, send_again
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record

BY_STAFF = "Switched off by the platform's staff."


@atomic(durable=True)
def redeliver(*, actor: Actor, delivery_id: UUID, reason: str) -> None:
    """
    Send a delivery again, now, with all of its tries before it: as its client may.

    :raises Problem: ``not_found``, ``validation_error`` where its endpoint is switched off
    """
    delivery = WebhookDelivery.objects.filter(pk=delivery_id).first()
    if delivery is None:
        raise Problem("not_found", "There is no such delivery.")
    enabled(_endpoint(delivery.endpoint_id))
    before = represent_delivery(delivery)
    after = represent_delivery(send_again(delivery_id))
    record(
        actor=actor, action="delivery.redeliver", object_type="webhook_delivery", object_id=delivery_id,
        before=before, after=after, reason=reason,
    )  # fmt: skip


@atomic(durable=True)
def switch(*, actor: Actor, endpoint_id: UUID, on: bool, reason: str) -> None:
    """
    Switch an endpoint off or on. What waits for it waits on; no event that happens while it is off goes to it, unless
    its client asks for that range. Switched on, it begins without failures.

    :raises Problem: ``not_found``, ``invalid_state``
    """
    endpoint = _endpoint(endpoint_id)
    if endpoint.enabled == on:
        raise Problem("invalid_state", f"The endpoint is {'on' if on else 'off'} already.")
    before = represent(endpoint)
    endpoint.enabled, endpoint.disabled_reason = on, "" if on else BY_STAFF
    if on:
        endpoint.failures, endpoint.paused_until = 0, None
    endpoint.save()
    record(
        actor=actor, action="webhook.enable" if on else "webhook.mute", object_type="webhook_endpoint",
        object_id=endpoint_id, before=before, after=represent(endpoint), reason=reason,
    )  # fmt: skip


def _endpoint(endpoint_id: UUID) -> WebhookEndpoint:
    found = WebhookEndpoint.objects.select_for_update().filter(pk=endpoint_id, deleted_at=None).first()
    if found is None:
        raise Problem("not_found", "The endpoint was removed.")
    return found
