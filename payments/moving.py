"""The rules of what begins a payment: transfer, top-up, bonus, spend, authorization. Pure: state in, verdict out."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

from ledger.accounts import AccountState
from ledger.money import MAX_AMOUNT, MAX_BALANCE, to_minor, to_text
from payments.commands import FLOWS, Move
from payments.state import Draft, Refusal, State

NOT_FOUND = Refusal("not_found", "There is no such wallet.")
_TOO_LITTLE = Refusal("insufficient_funds", "The available balance is too small.")


def draft_move(state: State, command: Move) -> Draft | Refusal:
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
    amount = minor_units(command.amount, sender)
    if isinstance(amount, Refusal):
        return amount
    if command.effective_at is not None and command.effective_at > state.now:
        return Refusal("validation_error", "That moment has not come yet.", pointer="/effective_at")
    return Draft(
        command.kind, sender, receiver, amount,
        description=command.description, metadata=command.metadata, effective_at=command.effective_at,
    )  # fmt: skip


def minor_units(amount: Decimal, account: AccountState) -> int | Refusal:
    """Return ``amount`` in the account's minor units, or why it cannot be."""
    minor = to_minor(amount, account.scale)
    if minor is None:
        return Refusal("amount_scale", f"{account.asset} has {account.scale} decimals at most.", pointer="/amount")
    if minor > MAX_AMOUNT:
        limit = to_text(MAX_AMOUNT, account.scale)
        return Refusal("validation_error", f"The amount is above {limit}.", pointer="/amount")
    return minor


def decline_move(state: State, draft: Draft) -> Refusal | None:
    """Return why these sides may not move this amount now, or None where they may."""
    sender, receiver = draft.sender, draft.receiver
    if receiver.asset != sender.asset:
        return Refusal("asset_mismatch", f"One wallet holds {sender.asset}, the other {receiver.asset}.")
    short = short_to_hold if draft.kind == "authorization" else short_of_funds
    return not_active(state, draft) or short(sender, draft.amount) or overflow(draft)


def not_active(state: State, draft: Draft) -> Refusal | None:
    """Return the refusal of a side whose wallet is not ACTIVE, the sender's first."""
    for account in (draft.sender, draft.receiver):
        if not account.open:
            status = state.wallets[account.id].status
            return Refusal(
                "wallet_not_active",
                f"The {'sender' if account is draft.sender else 'receiver'}'s wallet is {status}.",
                {"current_state": status},
            )
    return None


def short_of_funds(account: AccountState, amount: int) -> Refusal | None:
    if account.covers(amount):
        return None
    return _TOO_LITTLE


def short_to_hold(account: AccountState, amount: int) -> Refusal | None:
    """The same for what is held, which an overdraft is not there for."""
    return None if account.can_hold(amount) else _TOO_LITTLE


def overflow(draft: Draft) -> Refusal | None:
    if draft.receiver.balance + draft.amount > MAX_BALANCE or draft.sender.balance - draft.amount < -MAX_BALANCE:
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
