"""
When a command happens: by the database's clock, but never before what its own accounts have booked.

An account is ahead of the clock after the clock was set back. That is its own matter: what else stands in
the batch keeps to the clock, or holds of strangers would be over before their time. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ledger.accounts import AccountState
from ledger.ids import id_maker
from payments.bundles import Bundle, decide_bundle
from payments.commands import FLOWS, WALLET, Act, Adjust, Command, Move
from payments.deciding import decide, decide_one, new_plan
from payments.state import Outcome, Plan, State


def decide_each(state: State, commands: Sequence[Command]) -> tuple[list[Outcome], Plan]:
    """Decide a batch of commands, each at its own time; ``state.now`` is the clock."""
    clock = state.now
    if _latest(clock, state.accounts.values()) == clock:
        return decide(state, commands)
    plan, outcomes = new_plan(state), []
    makers = {clock: state.new_id}
    for command in commands:
        state.now = _latest(clock, _accounts(state, command))
        # An id begins with the moment of its payment.
        makers.setdefault(state.now, id_maker(at=state.now))
        state.new_id = plan.journal.new_id = makers[state.now]
        outcomes.append(decide_one(state, plan, command))
    return outcomes, plan


def decide_together(state: State, bundle: Bundle) -> tuple[tuple[Outcome, list[Outcome]], Plan]:
    """Decide a bundle, which is one caller's and happens at one time."""
    state.now = _latest(state.now, state.accounts.values())
    state.new_id = id_maker(at=state.now)
    return decide_bundle(state, bundle)


def _latest(clock: datetime, accounts: Iterable[AccountState]) -> datetime:
    return max([clock, *(account.booked_at for account in accounts if account.booked_at)])


def _accounts(state: State, command: Command) -> Iterator[AccountState]:
    """The accounts that a command may book on, of those there are."""
    ids = []
    if isinstance(command, Move):
        ids = command.wallet_ids
        flow = FLOWS[command.kind]
        kinds = {flow.sender, flow.receiver} - {WALLET}
        assets = {state.accounts[wallet].asset for wallet in ids if wallet in state.accounts}
        yield from (a for a in state.accounts.values() if a.kind in kinds and a.asset in assets)
    elif isinstance(command, Adjust):
        ids = command.account_ids
    elif isinstance(command, Act) and command.payment_id in state.payments:
        payment = state.payments[command.payment_id]
        ids = [payment.sender_id, payment.receiver_id]
    yield from (state.accounts[account] for account in ids if account in state.accounts)
