"""The rules of an adjustment: what two people have approved, to set right what is recorded. Pure."""

from __future__ import annotations

from payments.commands import WALLET, Adjust
from payments.moving import minor_units
from payments.state import Draft, Refusal, State


def draft_adjustment(state: State, command: Adjust) -> Draft | Refusal:
    """
    Resolve an adjustment to accounts and minor units, or refuse it as one that can never be right.

    Whether it may happen now is asked as of any move (``moving.decline_move``): a wallet that is not ACTIVE takes
    part in none, and its floor holds. No limit does: those are for what a wallet pays.
    """
    sender, receiver = state.accounts.get(command.sender_id), state.accounts.get(command.receiver_id)
    if sender is None or receiver is None:
        return Refusal("not_found", "There is no such account.")
    if sender.id == receiver.id:
        return Refusal("same_wallet", "Both sides are the same account.")
    if sender.kind == receiver.kind == WALLET:
        return Refusal("validation_error", "An adjustment has a system account on one side.")
    amount = minor_units(command.amount, sender)
    if isinstance(amount, Refusal):
        return amount
    return Draft(command.kind, sender, receiver, amount, description=command.reason, metadata=command.metadata)
