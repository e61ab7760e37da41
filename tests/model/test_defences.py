"""Each constraint, trigger and unique index of the money tables stops something that nothing else would."""

from __future__ import annotations

from uuid import uuid4

import psycopg
import pytest

from tests.ledger.test_database_rules import connect
from tests.model.breaks_defences import ATTEMPTS, CATALOGUE, LIMITS
from tests.money import rows, snapshot
from tests.payments.holds import authorize


@pytest.fixture(scope="module")
def things() -> dict[str, str]:
    """A payment that settled, one that failed, and a hold, between two wallets."""
    from tests.actors import actor

    shop = actor("client")
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()
    made = {
        "ann": ann,
        "bob": bob,
        "hold": authorize(shop, ann, bob, "20.00"),
        "paid": shop.pay(ann, bob, "10.00").json()["id"],
        "failed": shop.pay(bob, ann, "90.00").json()["payment_id"],
    }
    # By SQL of its own: what sets and counts limits needs the very defences that are tried without.
    limits = LIMITS.format(wallet=ann, per_payment=5000, per_day=50_000, since="now()")
    with connect("owner") as owner:
        owner.execute(f"{limits} INSERT INTO wallet_spending VALUES (now(), 3000, '{ann}')")
        owner.commit()
    return made


@pytest.mark.parametrize("name", ATTEMPTS)
def test_the_database_refuses_by_this_defence(things, name):
    attempt, before = ATTEMPTS[name], snapshot()
    with connect("owner") as owner:
        with pytest.raises(psycopg.IntegrityError) as refused:
            owner.execute(attempt.sql.format(**things, new=uuid4()))
            owner.commit()
        owner.rollback()

    assert refused.value.diag.constraint_name == (attempt.by or name)
    assert snapshot() == before


def test_no_defence_is_forgotten():
    assert {name for name, _, _ in rows(CATALOGUE)} == ATTEMPTS.keys()
