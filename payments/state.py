"""What ``decide`` sees and what it leaves: the locked state, and the rows to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from events.outbox import Fact
from ledger.accounts import AccountState
from ledger.idempotency import KeysInUse
from ledger.posting import Journal


@dataclass(frozen=True, slots=True)
class WalletState:
    user_id: UUID
    status: str


@dataclass(slots=True)
class State:
    """
    Everything a batch may depend on, read under its locks.

    ``now`` is the database's clock or the latest booking of any account here, whichever is later.
    Accounts change as commands are decided, so each command sees what those before it left.
    """

    now: datetime
    accounts: dict[UUID, AccountState]
    wallets: dict[UUID, WalletState]
    keys: KeysInUse
    new_id: Callable[[], UUID]

    def system_account(self, asset: str, kind: str) -> AccountState:
        for account in self.accounts.values():
            if account.asset == asset and account.kind == kind:
                return account
        raise LookupError(f"asset {asset} has no {kind} account")


@dataclass(slots=True)
class Plan:
    """The rows that a decided batch writes, in order."""

    journal: Journal
    payments: list[tuple[Any, ...]] = field(default_factory=list)
    failures: list[tuple[Any, ...]] = field(default_factory=list)
    keys: list[tuple[Any, ...]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not self.keys


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to one command: HTTP status and the bytes of the body. ``code`` is for metrics."""

    status: int
    body: bytes
    code: str
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule's no: a code of the error catalogue, with what its problem document says besides."""

    code: str
    detail: str
    members: dict[str, Any] = field(default_factory=dict)
