"""What ``decide`` sees and what it leaves: the locked state, and the rows to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from events.outbox import Fact
from ledger.accounts import AccountState
from ledger.idempotency import KeysInUse
from ledger.posting import Journal
from payments.commands import ONE_STEP
from walletplatform.api.problems import CATALOGUE


@dataclass(frozen=True, slots=True)
class WalletState:
    user_id: UUID
    status: str


@dataclass(slots=True)
class Limits:
    """
    What a wallet may pay at most, in one payment and in a day (UTC); None is as much as it has.

    ``counted_from`` is the first day that is counted, ``spent`` what was counted on a day. Minor units.
    """

    per_payment: int | None
    per_day: int | None
    counted_from: date | None = None
    spent: dict[date, int] = field(default_factory=dict)


@dataclass(slots=True)
class PaymentState:
    """
    A payment as it stands under the locks of its accounts. Amounts are minor units.

    ``authorized_amount`` and ``expires_at`` are those of a hold that came about: an authorization which
    has no parent and has not FAILED.
    """

    id: UUID
    kind: str
    status: str
    asset: str
    amount: int
    sender_id: UUID
    receiver_id: UUID
    parent_id: UUID | None
    description: str
    metadata: Mapping[str, Any]
    request_id: str
    created_at: datetime
    effective_at: datetime
    authorized_amount: int | None = None
    captured_amount: int = 0
    refunded_amount: int = 0
    expires_at: datetime | None = None

    @property
    def is_hold(self) -> bool:
        return self.kind == "authorization" and self.parent_id is None

    @property
    def captured(self) -> int:
        """What has gone to the receiver, and may be given back."""
        if self.kind in ONE_STEP:
            return self.amount if self.status == "SETTLED" else 0
        return self.captured_amount

    @property
    def held(self) -> int:
        """What it keeps reserved on its sender."""
        if self.status != "AUTHORIZED" or self.authorized_amount is None:
            return 0
        return self.authorized_amount - self.captured_amount

    def status_at(self, now: datetime) -> str:
        """The status by the clock: a hold past its time has expired, whether or not it was swept."""
        overdue = self.status == "AUTHORIZED" and self.expires_at is not None and self.expires_at <= now
        return "EXPIRED" if overdue else self.status


@dataclass(slots=True)
class State:
    """
    Everything a batch may depend on, read under its locks.

    ``now`` is the database's clock or the latest booking of any account here, whichever is later. ``limits`` are
    those of the wallets that have some.
    Accounts and payments change as commands are decided, so each command sees what those before it left.
    """

    now: datetime
    accounts: dict[UUID, AccountState]
    wallets: dict[UUID, WalletState]
    keys: KeysInUse
    new_id: Callable[[], UUID]
    payments: dict[UUID, PaymentState] = field(default_factory=dict)
    limits: dict[UUID, Limits] = field(default_factory=dict)

    def system_account(self, asset: str, kind: str) -> AccountState:
        for account in self.accounts.values():
            if account.asset == asset and account.kind == kind:
                return account
        raise LookupError(f"asset {asset} has no {kind} account")


@dataclass(slots=True)
class Plan:
    """
    The rows that a decided batch writes, in order.

    ``changed`` are payments that were there before, ``counted`` what wallets have spent more, or less, on a day.
    """

    journal: Journal
    payments: list[tuple[Any, ...]] = field(default_factory=list)
    changed: dict[UUID, PaymentState] = field(default_factory=dict)
    failures: list[tuple[Any, ...]] = field(default_factory=list)
    keys: list[tuple[Any, ...]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    counted: dict[tuple[UUID, date], int] = field(default_factory=dict)
    audits: list[tuple[Any, ...]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.keys and not self.changed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one command: HTTP status and the bytes of the body. ``code`` is for metrics."""

    status: int
    body: bytes
    code: str
    replayed: bool = False

    @property
    def has_happened(self) -> bool:
        """Whether it was done, and was not put aside to be decided about."""
        return self.status < 400 and self.status != 202

    @property
    def is_kept(self) -> bool:
        """Whether it is stored under its key: a success, or a decline."""
        return self.status < 300 or (self.code in CATALOGUE and CATALOGUE[self.code].outcome == "declined")


@dataclass(frozen=True, slots=True)
class Refusal:
    """
    A rule's no: a code of the error catalogue, with what its problem document says besides.

    ``pointer`` names the field that a refused request should have sent otherwise.
    """

    code: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A payment that is asked for: its sides, its amount in the sender's minor units, its parent."""

    kind: str
    sender: AccountState
    receiver: AccountState
    amount: int
    parent: PaymentState | None = None
    description: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    effective_at: datetime | None = None
