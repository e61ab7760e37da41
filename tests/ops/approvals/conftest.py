"""Two people, and a payment that they can ask and decide about."""

from __future__ import annotations

import pytest

from tests.ops.staff import person


@pytest.fixture
def maker():
    return person("operator")


@pytest.fixture
def checker():
    return person("approver")


@pytest.fixture
def paid(shop):
    """A payment of 4.00 between wallets that hold 6.00 and 4.00 after it."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": shop.pay(ann, bob, "4.00").json()["id"]}
