"""What comes of the demo's payments: pre-orders are captured, called off or forgotten; some orders go back."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson

from payments.commands import Act, Capture, Command, Move, Refund, Void
from payments.engine import execute
from payments.expiry import expire_holds
from payments.state import Outcome
from walletplatform.api.idempotency import fingerprint

if TYPE_CHECKING:
    from ops.demo import Cast

PRE_ORDER = [
    (6, Capture, 2, ""),
    (2, Capture, 3, "part"),
    (2, Void, 1, "Out of stock"),
    (1, None, 0, ""),  # forgotten: it expires
]
REFUNDED = 0.04


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that will be done about a payment, and when."""

    at: datetime
    command: Move
    payment_id: UUID
    verb: type[Act]
    details: dict[str, Any]


@dataclass(slots=True)
class Aftermath:
    """The turns still to come."""

    chance_of: Callable[[str], random.Random]
    coming: list[Turn] = field(default_factory=list)
    swept: datetime | None = None

    def follow(self, now: datetime, commands: Sequence[Move], outcomes: Sequence[Outcome]) -> None:
        """Choose what will come of the payments that came about."""
        for command, outcome in zip(commands, outcomes, strict=True):
            if outcome.status >= 400:
                continue
            payment_id = UUID(orjson.loads(outcome.body)["id"])
            chance = self.chance_of(f"fate of {command.key}")
            if command.kind == "authorization":
                _, verb, days, words = chance.choices(PRE_ORDER, [weight for weight, *_ in PRE_ORDER])[0]
                if verb is not None:
                    at = now + timedelta(days=days)
                    self.coming.append(Turn(at, command, payment_id, verb, _details(command, words)))
            elif command.description == "Order" and chance.random() < REFUNDED:
                reason = chance.choice(["Returned", "Damaged", "Late"])
                at = now + timedelta(hours=30)
                self.coming.append(Turn(at, command, payment_id, Refund, {"reason": reason}))

    def come(self, now: datetime, cast: Cast) -> None:
        """Let happen what is due by ``now``, and once a day let pass what was forgotten."""
        ready = [turn for turn in self.coming if turn.at <= now]
        if ready:
            execute([_act(cast, turn) for turn in ready])
            self.coming = [turn for turn in self.coming if turn.at > now]
        if self.swept is None or now - self.swept >= timedelta(days=1):
            list(expire_holds())
            self.swept = now


def _details(command: Move, words: str) -> dict[str, Any]:
    if words == "part":
        return {"amount": (command.amount / 2).quantize(Decimal("0.01")), "reason": "Sent in part"}
    return {"reason": words}


def _act(cast: Cast, turn: Turn) -> Command:
    key = f"{turn.command.key}-{turn.verb.kind}"
    return turn.verb(
        principal=cast.shop,
        key=key,
        fingerprint=fingerprint("POST", f"/demo/{turn.verb.kind}", key),
        request_id=key,
        traceparent="",
        payment_id=turn.payment_id,
        **turn.details,
    )
