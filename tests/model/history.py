"""What a concurrent history is made of: what clients saw, what the ledger kept, and what is wrong between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from math import inf
from typing import Any

import orjson

MOVES = frozenset({"transfer", "authorize", "topup", "spend"})
ACTS = frozenset({"capture", "void", "extend", "reauthorize", "refund", "reverse"})
READS = frozenset({"read_wallet", "read_payment"})
# Whom the platform names as the origin of what no client asked for.
EXPIRY = "expiry"


@dataclass(slots=True)
class Operation:
    """
    One request of one client, from its first attempt to its final answer.

    ``subject`` is the wallet or payment that a read or an act is about. ``answered`` is infinite where no
    final answer came: then it may have had its effect, or not.
    """

    id: str
    verb: str
    subject: str
    body: dict[str, Any]
    key: str
    invoked: float
    answered: float = inf
    status: int = 0
    raw: bytes = b""

    @property
    def is_known(self) -> bool:
        return self.answered < inf

    @property
    def answer(self) -> dict[str, Any]:
        return dict(orjson.loads(self.raw)) if self.raw else {}


@dataclass(frozen=True, slots=True)
class PaymentRow:
    id: str
    kind: str
    status: str
    sender: str
    receiver: str
    parent: str | None
    key: str
    request: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """``position`` rises along each account, because it is drawn while the account is locked."""

    position: int
    type: str
    subject: str
    time: datetime
    request: str


@dataclass(frozen=True, slots=True)
class EntryRow:
    account: str
    seq: int
    transaction: str
    change: int
    balance_after: int


@dataclass(slots=True)
class Ledger:
    """What the database holds once everybody has finished. ``accounts``: (balance, held) by id."""

    payments: dict[str, PaymentRow]
    events: list[EventRow]
    entries: list[EntryRow]
    accounts: dict[str, tuple[int, int]]


@dataclass(slots=True)
class History:
    operations: list[Operation]
    ledger: Ledger
    # Each wallet's balance when the history began, and the moment since which it was so, as the API tells it.
    opening: dict[str, tuple[int, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that no serial execution could have shown. ``kind`` is one of a few words."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


def cents(text: str) -> int:
    """``"12.50"`` as 1250. Histories use an asset of two decimals."""
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def text(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def moment(written: str) -> datetime:
    return datetime.fromisoformat(written.replace("Z", "+00:00"))
