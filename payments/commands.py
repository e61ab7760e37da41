"""What a caller asks the money path to do, parsed and authorised, but not yet decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from walletplatform.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Flow:
    """Between which sides a one-step payment moves money: a wallet, or a system account by kind."""

    sender: str
    receiver: str


WALLET = "wallet"
FLOWS = {
    "transfer": Flow(WALLET, WALLET),
    "topup": Flow("treasury", WALLET),
    "bonus": Flow("bonus", WALLET),
    "spend": Flow(WALLET, "revenue"),
}


@dataclass(frozen=True, slots=True)
class Move:
    """
    Move ``amount`` (in the asset's unit) in one step.

    ``sender_id`` and ``receiver_id`` are wallets; None stands for the system account that ``FLOWS``
    names. ``fingerprint`` tells whether a repeated ``key`` repeats its request.
    """

    principal: Principal
    key: str
    fingerprint: bytes
    request_id: str
    traceparent: str
    kind: str
    sender_id: UUID | None
    receiver_id: UUID | None
    amount: Decimal
    description: str
    metadata: Mapping[str, Any]

    @property
    def scoped_key(self) -> tuple[UUID, str]:
        """The key as it is unique: keys belong to their principal."""
        return self.principal.id, self.key

    @property
    def wallet_ids(self) -> list[UUID]:
        return [wallet for wallet in (self.sender_id, self.receiver_id) if wallet is not None]
