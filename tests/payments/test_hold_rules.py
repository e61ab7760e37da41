"""What PostgreSQL itself keeps of a hold's life, tried in plain SQL past all of our code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from tests.ledger.test_database_rules import connect
from tests.money import snapshot
from tests.payments.holds import act, authorize

Session = psycopg.Connection[Any]


@pytest.fixture(params=["default", "owner"])
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    with connect(request.param) as connected:
        yield connected
        connected.rollback()


@pytest.fixture
def world(shop) -> dict[str, str]:
    ann, bob = shop.wallet(holding="100.00"), shop.wallet()
    hold, part, ended = (authorize(shop, ann, bob, "20.00") for _ in range(3))
    act(shop, part, "capture", {"amount": "5.00", "final": False})
    act(shop, ended, "void")
    paid = shop.pay(ann, bob, "10.00").json()["id"]
    return {"ann": ann, "bob": bob, "hold": hold, "part": part, "ended": ended, "paid": paid}


CHILD = """
    INSERT INTO payments (id, kind, status, asset, amount, sender_id, receiver_id, parent_id, principal_id,
                          idempotency_key, request_id, description, metadata, created_at, effective_at)
    SELECT gen_random_uuid(), '{kind}', 'SETTLED', asset, {amount}, sender_id, receiver_id, id, principal_id,
           'raw', 'raw', '', '{{{{}}}}', {at}, effective_at FROM payments WHERE id = '{parent}'
"""
REFUSED = {
    "hold without an authorization": "UPDATE accounts SET held = held + 1 WHERE id = '{ann}'",
    "release without ending it": "UPDATE accounts SET held = 0 WHERE id = '{ann}'",
    "end it without releasing": "UPDATE payments SET status = 'VOIDED' WHERE id = '{hold}'",
    "raise it without holding": "UPDATE payments SET authorized_amount = 2001 WHERE id = '{hold}'",
    "expire it early": "UPDATE payments SET status = 'EXPIRED' WHERE id = '{hold}'",
    "shorten it": "UPDATE payments SET expires_at = created_at WHERE id = '{hold}'",
    "void what is captured in part": "UPDATE payments SET status = 'VOIDED' WHERE id = '{part}'",
    "settle what is not captured": "UPDATE payments SET status = 'SETTLED' WHERE id = '{hold}'",
    "revive what has ended": "UPDATE payments SET status = 'AUTHORIZED' WHERE id = '{ended}'",
    "capture what has ended": "UPDATE payments SET captured_amount = 1 WHERE id = '{ended}'",
    "extend what has ended": "UPDATE payments SET expires_at = expires_at + '1 day' WHERE id = '{ended}'",
    "capture more than is held": "UPDATE payments SET captured_amount = 2001 WHERE id = '{hold}'",
    "take a capture back": "UPDATE payments SET captured_amount = 0 WHERE id = '{part}'",
    "say captured without a capture": "UPDATE payments SET captured_amount = 600 WHERE id = '{part}'",
    "say refunded without a refund": "UPDATE payments SET refunded_amount = 1 WHERE id = '{paid}'",
    "refund more than came": "UPDATE payments SET refunded_amount = 1001 WHERE id = '{paid}'",
    "a capture that nobody counts": CHILD.format(kind="capture", amount=1, at="created_at", parent="{hold}"),
    "a refund that nobody counts": CHILD.format(kind="refund", amount=1, at="created_at", parent="{paid}"),
    "a capture of nothing": CHILD.format(kind="capture", amount=1, at="created_at", parent="{hold}").replace(
        "receiver_id, id,", "receiver_id, NULL,"
    ),
    "a transfer with a parent": CHILD.format(kind="transfer", amount=1, at="created_at", parent="{paid}"),
    "a void that has settled": CHILD.format(kind="void", amount=1, at="created_at", parent="{hold}"),
}


@pytest.mark.parametrize("attempt", REFUSED)
def test_a_hold_keeps_its_rules_against_plain_sql(session, world, attempt):
    before = snapshot()

    with pytest.raises((errors.IntegrityConstraintViolation, errors.CheckViolation)):
        session.execute(REFUSED[attempt].format(**world))
        session.commit()

    session.rollback()
    assert snapshot() == before


def test_a_capture_dated_after_the_end_is_refused_at_commit(session, world):
    late = CHILD.format(kind="capture", amount=15, at="expires_at", parent=world["hold"]).format()

    with pytest.raises(errors.IntegrityConstraintViolation, match="late"):
        session.execute("UPDATE accounts SET held = held - 15 WHERE id = %s", (world["ann"],))
        session.execute("UPDATE payments SET captured_amount = 15 WHERE id = %s", (world["hold"],))
        session.execute(late)
        session.commit()


@pytest.mark.parametrize("attempt", ["UPDATE payments SET amount = 1", "UPDATE payments SET sender_id = receiver_id"])
def test_the_serving_role_cannot_even_try_to_change_what_was_asked_for(world, attempt):
    with connect("default") as app, pytest.raises(errors.InsufficientPrivilege):
        app.execute(attempt)
