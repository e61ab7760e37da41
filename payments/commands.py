"""What a caller asks the money path to do, parsed and authorised, but not yet decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from walletplatform.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Flow:
    """Between which sides a payment moves money: a wallet, or a system account by kind."""

    sender: str
    receiver: str


WALLET = "wallet"
FLOWS = {
    "transfer": Flow(WALLET, WALLET),
    "authorization": Flow(WALLET, WALLET),
    "topup": Flow("treasury", WALLET),
    "bonus": Flow("bonus", WALLET),
    "spend": Flow(WALLET, "revenue"),
}
VERDICTS = ("allow", "deny", "review")
ONE_STEP = frozenset({"transfer", "topup", "bonus", "spend"})


@dataclass(frozen=True, slots=True)
class Signature:
    """How the audit trail names a member of staff: name, address, and the id of the approval behind it if any."""

    name: str
    address: str = ""
    approval: str = ""


NOBODY = Signature("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """
    Who asks, under which key. ``fingerprint`` tells whether a repeated ``key`` repeats its request.

    ``keeps_key`` is False for what is not answered under a key of its own: an item of a bundle that has
    one key for all, and what no caller asked for. What staff ask for goes into the audit trail, under ``signature``.
    """

    principal: Principal
    key: str
    fingerprint: bytes
    request_id: str
    traceparent: str
    keeps_key: bool = True
    signature: Signature | None = None

    @property
    def scoped_key(self) -> tuple[UUID, str]:
        """The key as it is unique: keys belong to their principal."""
        return self.principal.id, self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(Command):
    """
    Move ``amount`` (in the asset's unit) in one step, or hold it (kind ``authorization``).

    ``sender_id`` and ``receiver_id`` are wallets; None stands for the system account that ``FLOWS``
    names. ``effective_at`` is when it happened in the world, None for now; ``expires_in`` is the
    seconds that an authorization lasts. ``verdict`` is what the policy says about it (``VERDICTS``).
    """

    kind: str
    sender_id: UUID | None
    receiver_id: UUID | None
    amount: Decimal
    description: str
    metadata: Mapping[str, Any]
    effective_at: datetime | None = None
    expires_in: int = 0
    verdict: str = "allow"

    @property
    def wallet_ids(self) -> list[UUID]:
        return [wallet for wallet in (self.sender_id, self.receiver_id) if wallet is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(Command):
    """
    Set right what is recorded: move ``amount`` between a wallet and a system account, or between two of these.

    ``metadata`` says what it refers to. Only what two people have approved becomes one: the API has no way to it.
    """

    kind: ClassVar[str] = "adjustment"
    sender_id: UUID
    receiver_id: UUID
    amount: Decimal
    reason: str
    metadata: Mapping[str, Any]

    @property
    def account_ids(self) -> list[UUID]:
        return [self.sender_id, self.receiver_id]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(Command):
    """
    Do something about the payment ``payment_id``, up to ``amount`` where the act has one.

    ``kind`` is that of the payment which this makes, or leaves where it is declined.
    """

    kind: ClassVar[str]
    payment_id: UUID
    reason: str = ""
    amount: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture(Act):
    """Take ``amount`` of what is held (None: all of it); ``final`` releases the rest."""

    kind = "capture"
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Void(Act):
    """Release what is held and end the authorization."""

    kind = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Act):
    """End an authorization whose time is over; nothing where it has ended, or is not due."""

    kind = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extend(Act):
    """Let an authorization last for ``expires_in`` seconds from now."""

    kind = "extension"
    expires_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reauthorize(Act):
    """Let an authorization be of ``amount`` in all: hold more, or less."""

    kind = "authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund(Act):
    """
    Give ``amount`` (None: all that is left) back to where the money came from.

    ``at_most`` is how much may have been given back with it in all, in minor units, where one person asks.
    """

    kind = "refund"
    at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse(Act):
    """Undo the whole of a payment, once. ``at_most`` as of a refund."""

    kind = "reversal"
    at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review(Act):
    """Decide about a payment that waits for it: let it happen, or not."""

    kind = "review"
    approve: bool
