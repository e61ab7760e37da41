"""Sending webhooks and looking at what became of them."""

import asyncio

from django.db import connection

from events.consumers import CONSUMERS
from events.consuming import consume
from events.models import WebhookEndpoint
from events.sequencer import sequence
from events.webhooks.sending import Sender

WEBHOOKS = CONSUMERS["webhooks"]


def log_all():
    while sequence():
        pass
    while consume(WEBHOOKS):
        pass


def send():
    """Everything that is due by now, to everybody."""
    log_all()
    asyncio.run(asyncio.wait_for(Sender().run(until_idle=True), 60))


def execute(sql, *parameters):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def due_now():
    execute("UPDATE webhook_deliveries SET due_at = now() WHERE state = 'PENDING'")
    WebhookEndpoint.objects.update(paused_until=None)


def deliveries(shop, endpoint, **filters):
    query = "&".join(f"{name}={value}" for name, value in {"endpoint_id": endpoint["id"], **filters}.items())
    return shop.get(f"/webhook-deliveries?{query}").json()["data"]


def tried(shop, delivery):
    return shop.get(f"/webhook-deliveries/{delivery['id']}").json()["tried"]
