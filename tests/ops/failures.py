"""Failed payments to be analysed: a client with a name, told to its read model."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from events import consuming
from events.consumers import CONSUMERS
from events.sequencer import sequence
from ops.failures.models import PEOPLE, FailedPayment
from payments.recording import CATEGORY
from tests.actors import Actor
from walletplatform.identity.models import Client


def read_failures() -> None:
    """Put everything into the log, and let the read models take it in."""
    while sequence():
        pass
    for name in ("figures", "failures", "holds"):
        while consuming.consume(CONSUMERS[name]):
            pass


def known(shop: Actor, name: str = "") -> UUID:
    """Put a client system on record as such, as the command does; return its id."""
    client = Client(id=shop.id, name=name or f"client {shop.id}", scopes=[], assets=None)
    client.new_secret()
    client.save()
    return shop.id


def fail(
    asset: str,
    at: datetime,
    code: str,
    *,
    client: UUID = PEOPLE,
    wallet: UUID | None = None,
    amount: int = 100,
    times: int = 1,
) -> UUID:
    """Put failed payments of any time on record as the read model has them; return the last one's id."""
    made = [
        FailedPayment(
            payment_id=uuid4(), failed_at=at, kind="transfer", asset=asset, code=code,
            category=CATEGORY.get(code, "customer"), client_id=client, wallet_id=wallet, amount=amount,
        )
        for _ in range(times)
    ]  # fmt: skip
    FailedPayment.objects.bulk_create(made)
    return made[-1].payment_id
