"""Making holds and looking at them from outside."""

from __future__ import annotations

import time
from typing import Any

from tests.money import value


def authorize(actor: Any, sender: str, receiver: str, amount: str, **more: Any) -> str:
    """Hold ``amount`` and return the authorization's id."""
    answer = actor.pay(sender, receiver, amount, capture=False, **more)
    assert answer.status_code == 201, answer.content
    return str(answer.json()["id"])


def act(actor: Any, payment: str, verb: str, body: dict[str, Any] | None = None, **more: Any) -> Any:
    return actor.post(f"/payments/{payment}/{verb}", body or {}, **more)


def held(actor: Any, wallet: str) -> tuple[str, str, str]:
    """Balance, held and available as the API tells them."""
    shown = actor.get(f"/wallets/{wallet}").json()
    return shown["balance"], shown["held"], shown["available"]


def status(actor: Any, payment: str) -> str:
    return str(actor.get(f"/payments/{payment}").json()["status"])


def wait_until_due(payment: str) -> None:
    """Wait until the database's clock has passed the authorization's end."""
    while not value("SELECT expires_at <= ledger_now() FROM payments WHERE id = %s", payment):
        time.sleep(0.05)


def facts(payment: str) -> list[str]:
    """The types of events told about a payment, in order."""
    return list(
        value("SELECT coalesce(array_agg(type ORDER BY id), '{}') FROM outbox_events WHERE subject = %s", payment)
    )
