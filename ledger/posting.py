"""
Post transactions: the only writer of transactions and entries, and of balances.

``Journal`` collects, in memory, the rows that a batch writes. No I/O here: ``payments.engine`` sends them
with the statements below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from ledger.accounts import AccountState
from ledger.money import to_text

INSERT_TRANSACTIONS = """
    INSERT INTO transactions (id, kind, entry_count, booked_at, effective_at)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::smallint[], %s::timestamptz[], %s::timestamptz[])
"""

INSERT_ENTRIES = """
    INSERT INTO ledger_entries
           (id, transaction_id, entry_count, leg, account_id, direction, amount, seq, balance_after)
    SELECT * FROM unnest(%s::uuid[], %s::uuid[], %s::smallint[], %s::smallint[], %s::uuid[],
                         %s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
"""


@dataclass(frozen=True, slots=True)
class Leg:
    """One side of a posting: ``change`` is added to the balance (negative: a debit)."""

    account: AccountState
    change: int


@dataclass(slots=True)
class Journal:
    """What a batch posts, and the accounts that it changes."""

    new_id: Callable[[], UUID]
    transactions: list[tuple[Any, ...]] = field(default_factory=list)
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    changed: dict[UUID, AccountState] = field(default_factory=dict)

    def post(
        self,
        *,
        transaction_id: UUID,
        kind: str,
        legs: Sequence[Leg],
        booked_at: datetime,
        effective_at: datetime,
    ) -> list[dict[str, Any]]:
        """
        Post a transaction and return its entries as an event tells them.

        The caller has decided that it may happen; a posting that does not balance, or that an
        account does not cover, is a bug.
        """
        net: dict[str, int] = {}
        for leg in legs:
            net[leg.account.asset] = net.get(leg.account.asset, 0) + leg.change
        if any(net.values()) or len(legs) < 2:
            raise ValueError(f"unbalanced posting: {net}")
        self.transactions.append((transaction_id, kind, len(legs), booked_at, effective_at))
        return [
            self._enter(transaction_id, len(legs), number, leg, booked_at) for number, leg in enumerate(legs, start=1)
        ]

    def _enter(
        self, transaction_id: UUID, entry_count: int, number: int, leg: Leg, booked_at: datetime
    ) -> dict[str, Any]:
        account = leg.account
        if not leg.change or (not account.covers(-leg.change) and leg.change < 0):
            raise ValueError(f"account {account.id} does not cover {-leg.change}")
        account.balance += leg.change
        account.seq += 1
        account.booked_at = booked_at
        self.changed[account.id] = account
        direction = "DEBIT" if leg.change < 0 else "CREDIT"
        amount = abs(leg.change)
        self.entries.append(
            (
                self.new_id(), transaction_id, entry_count, number,
                account.id, direction, amount, account.seq, account.balance,
            )
        )  # fmt: skip
        return {
            "account_id": account.id,
            "account_kind": account.kind,
            "asset": account.asset,
            "direction": direction,
            "amount": to_text(amount, account.scale),
            "seq": account.seq,
            "balance_after": to_text(account.balance, account.scale),
        }

    def hold(self, account: AccountState, change: int) -> None:
        """Reserve ``change`` of what is available, or release it where it is negative."""
        if account.held + change < 0 or (change > 0 and not account.can_hold(change)):
            raise ValueError(f"account {account.id} cannot hold {change} more than {account.held}")
        account.held += change
        self.changed[account.id] = account

    def account_rows(self) -> list[tuple[Any, ...]]:
        """Return what ``UPDATE_ACCOUNTS`` takes: each changed account once, as the batch leaves it."""
        return [(a.id, a.balance, a.held, a.seq, a.booked_at) for a in self.changed.values()]
