"""A model's endpoint, and payments that a summary can tell of."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.actors import actor
from tests.ops.endpoint import Endpoint
from tests.ops.summaries.making import count


@pytest.fixture
def endpoint(settings):
    """A model's endpoint that is set up, and behaves."""
    endpoint = Endpoint()
    settings.AI_API_KEY, settings.AI_BASE_URL, settings.AI_MODEL = "sk-test", endpoint.url, "a-model"
    settings.AI_TIMEOUT, settings.AI_DAILY_BUDGET = 20.0, Decimal(1_000_000)
    yield endpoint
    endpoint.close()


@pytest.fixture(scope="module")
def told(database):
    """Payments that settled and failed a moment ago, counted."""
    shop = actor("client")
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    shop.pay(ann, bob, "4.00")
    shop.pay(ann, bob, "400.00")
    count()
