"""What a command would do, decided on what is there now: for a person to look at before they act. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from payments.commands import Command
from payments.state import Outcome, Plan, State
from payments.timing import decide_each


@dataclass(frozen=True, slots=True)
class Change:
    """An account's balance and what is held of it, before and after, in minor units."""

    account_id: UUID
    kind: str
    asset: str
    scale: int
    balance: tuple[int, int]
    held: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Preview:
    """The answer that the command would get, and the accounts that it would change."""

    outcome: Outcome
    changes: list[Change]


def foresee(state: State, command: Command) -> tuple[Preview, Plan]:
    """Decide one command; return what to show, and the plan that nobody writes."""
    before = {account.id: replace(account) for account in state.accounts.values()}
    [outcome], plan = decide_each(state, [command])
    changes = [
        Change(
            after.id, after.kind, after.asset, after.scale,
            (before[after.id].balance, after.balance), (before[after.id].held, after.held),
        )
        for after in plan.journal.changed.values()
    ]  # fmt: skip
    return Preview(outcome, changes), plan
