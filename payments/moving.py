"""The rules of one-step payments: transfer, top-up, bonus, spend. Pure: state in, verdict out."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from ledger.accounts import AccountState
from ledger.money import MAX_AMOUNT, MAX_BALANCE, to_minor, to_text
from payments.commands import FLOWS, Move
from payments.state import Refusal, State


@dataclass(frozen=True, slots=True)
class Sides:
    """The accounts that a payment is between, and its amount in the sender's minor units."""

    sender: AccountState
    receiver: AccountState
    amount: int


NOT_FOUND = Refusal("not_found", "There is no such wallet.")


def find_sides(state: State, command: Move) -> Sides | Refusal:
    """
    Resolve a command to accounts and minor units, or refuse it as one that can never be right.

    What the caller may not see is not found, in the same words as what does not exist.
    """
    sender = _visible(state, command, command.sender_id, debited=True)
    receiver = _visible(state, command, command.receiver_id, debited=False)
    if (command.sender_id and not sender) or (command.receiver_id and not receiver):
        return NOT_FOUND
    flow = FLOWS[command.kind]
    known = sender or receiver
    assert known is not None  # every flow has a wallet on one side
    sender = sender or state.system_account(known.asset, flow.sender)
    receiver = receiver or state.system_account(known.asset, flow.receiver)
    if sender.id == receiver.id:
        return Refusal("same_wallet", "Sender and receiver are the same wallet.")
    amount = to_minor(command.amount, sender.scale)
    if amount is None:
        return Refusal("amount_scale", f"{sender.asset} has {sender.scale} decimals at most.")
    if amount > MAX_AMOUNT:
        return Refusal("validation_error", f"The amount is above {to_text(MAX_AMOUNT, sender.scale)}.")
    return Sides(sender, receiver, amount)


def decline(state: State, sides: Sides) -> Refusal | None:
    """Return why these sides may not move this amount now, or None where they may."""
    sender, receiver, amount = sides.sender, sides.receiver, sides.amount
    if receiver.asset != sender.asset:
        return Refusal("asset_mismatch", f"One wallet holds {sender.asset}, the other {receiver.asset}.")
    for account in (sender, receiver):
        if not account.open:
            status = state.wallets[account.id].status
            return Refusal(
                "wallet_not_active",
                f"The {'sender' if account is sender else 'receiver'}'s wallet is {status}.",
                {"current_state": status},
            )
    if not sender.covers(amount):
        return Refusal("insufficient_funds", "The available balance is too small.")
    if receiver.balance + amount > MAX_BALANCE or sender.balance - amount < -MAX_BALANCE:
        return Refusal("balance_overflow", "The balance would be too large to keep.")
    return None


def _visible(state: State, command: Move, wallet_id: UUID | None, *, debited: bool) -> AccountState | None:
    """A wallet that the caller may name on this side; an end user debits only its own."""
    if wallet_id is None:
        return None
    wallet, account = state.wallets.get(wallet_id), state.accounts.get(wallet_id)
    principal = command.principal
    # A wallet may be read and not locked: it was opened between the two.
    if wallet is None or account is None or not principal.sees_asset(account.asset):
        return None
    # An end user debits its own wallets only, and may pay anybody's that is active.
    if principal.is_user and wallet.user_id != principal.id and (debited or not account.open):
        return None
    return account
