"""Webhook endpoints of a shop, on loopback."""

from __future__ import annotations

import pytest

from events.models import WebhookEndpoint
from tests.events.hooks import log_all
from tests.events.receivers import Receiver


@pytest.fixture
def on_loopback(settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True


@pytest.fixture
def receiver(on_loopback):
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def endpoint(shop, receiver, on_loopback):
    """Make an endpoint of the shop's at a path of the receiver; returns its JSON with the secret."""
    made = []

    def make(path="/200", **more):
        log_all()
        answer = shop.post("/webhook-endpoints", {"url": receiver.url(path), **more})
        assert answer.status_code == 201, answer.content
        made.append(answer.json()["id"])
        return answer.json()

    yield make
    WebhookEndpoint.objects.filter(pk__in=made).update(enabled=False)


@pytest.fixture
def wallets(shop):
    return shop.wallet(holding="100.00"), shop.wallet()
