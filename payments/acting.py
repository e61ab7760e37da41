"""
The rules of what is done about a payment: capture, void, extend, reauthorize, refund, reverse, review.

Pure: state in, verdict out. Every no says the payment's ``current_state``.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ledger.money import to_text
from payments.commands import ONE_STEP, Act, Capture, Extend, Reauthorize, Refund, Reverse, Review, Void
from payments.limits import over_limit
from payments.moving import minor_units, not_active, overflow, short_of_funds, short_to_hold
from payments.state import Draft, PaymentState, Refusal, State

NOT_FOUND = Refusal("not_found", "There is no such payment.")
_MEANWHILE = Refusal("lock_timeout", "More of it was captured or given back meanwhile. Ask again.")
_ADJUSTED = "An adjustment is undone by another adjustment."


def draft_act(state: State, command: Act) -> Draft | Refusal:
    """Resolve an act to the payment that it would make, or refuse it as one that can never be right."""
    parent = state.payments.get(command.payment_id)
    if parent is None or not command.principal.sees_asset(parent.asset):
        return NOT_FOUND
    sender, receiver = state.accounts[parent.sender_id], state.accounts[parent.receiver_id]
    asked = None if command.amount is None else minor_units(command.amount, sender)
    if isinstance(asked, Refusal):
        return asked
    if isinstance(command, (Refund, Reverse)):
        # Of a payment that failed because its sides hold different assets, nothing can go back.
        if receiver.asset == parent.asset:
            sender, receiver = receiver, sender
        left = parent.captured - parent.refunded_amount
        amount = asked or left
        if _too_large(command, parent, amount) and amount <= left:
            return _MEANWHILE
    else:
        amount = asked or parent.held
    if isinstance(command, Extend):
        later = _not_later(state, command, parent)
        if later is not None:
            return later
    # What is refused still has an amount: that of the payment which it was about.
    return Draft(command.kind, sender, receiver, amount or parent.amount, parent, command.reason)


def _too_large(command: Refund | Reverse, parent: PaymentState, amount: int) -> bool:
    return command.at_most is not None and parent.refunded_amount + amount > command.at_most


def decline_act(state: State, command: Act, draft: Draft) -> Refusal | None:
    """Return why the act may not happen now, or None where it may."""
    assert draft.parent is not None
    if isinstance(command, Refund):
        return _decline_refund(state, draft, draft.parent)
    if isinstance(command, Reverse):
        return _decline_reversal(state, draft, draft.parent)
    if isinstance(command, Review):
        return _not_under_review(state, draft.parent)
    if isinstance(command, Void) and draft.parent.status == "CREATED":
        return None
    refusal = _not_authorized(state, draft.parent)
    if refusal is None and isinstance(command, Capture):
        return _decline_capture(state, draft, draft.parent)
    if refusal is None and isinstance(command, Reauthorize):
        return _decline_reauthorization(state, draft, draft.parent)
    return refusal


def _not_authorized(state: State, parent: PaymentState) -> Refusal | None:
    status = parent.status_at(state.now)
    if not parent.is_hold:
        return _invalid(state, parent, f"It holds nothing: it is a {parent.kind}.")
    if status != "AUTHORIZED":
        return _invalid(state, parent, f"The authorization is {status}.")
    return None


def _not_under_review(state: State, parent: PaymentState) -> Refusal | None:
    if parent.status != "CREATED":
        return _invalid(state, parent, f"Nobody has to decide about it: it is {parent.status_at(state.now)}.")
    return None


def _not_later(state: State, command: Extend, parent: PaymentState) -> Refusal | None:
    if parent.expires_at is None or parent.status_at(state.now) != "AUTHORIZED":
        return None  # to be declined for its state
    if state.now + timedelta(seconds=command.expires_in) < parent.expires_at:
        return Refusal("validation_error", "The authorization lasts longer than that.", pointer="/expires_in")
    return None


def _decline_capture(state: State, draft: Draft, parent: PaymentState) -> Refusal | None:
    if draft.amount > parent.held:
        capturable = to_text(parent.held, draft.sender.scale)
        return _invalid(state, parent, f"{capturable} can be captured.", capturable_amount=capturable)
    return not_active(state, draft) or overflow(draft)


def _decline_reauthorization(state: State, draft: Draft, parent: PaymentState) -> Refusal | None:
    if draft.amount <= parent.captured_amount:
        captured = to_text(parent.captured_amount, draft.sender.scale)
        return _invalid(state, parent, f"{captured} are captured already.", captured_amount=captured)
    assert parent.authorized_amount is not None
    more = draft.amount - parent.authorized_amount
    if more <= 0:
        return None
    return not_active(state, draft) or short_to_hold(draft.sender, more) or over_limit(state, draft, more)


def _decline_refund(state: State, draft: Draft, parent: PaymentState) -> Refusal | None:
    if parent.kind == "adjustment":
        return _invalid(state, parent, _ADJUSTED)
    if parent.kind not in ONE_STEP and not parent.is_hold:
        return _invalid(state, parent, f"Not a {parent.kind}: refund the payment that it belongs to.")
    refundable = parent.captured - parent.refunded_amount
    if refundable == 0 or draft.amount > refundable:
        text = to_text(refundable, draft.sender.scale)
        return _invalid(state, parent, f"{text} can be refunded.", refundable_amount=text)
    return not_active(state, draft) or short_of_funds(draft.sender, draft.amount) or overflow(draft)


def _decline_reversal(state: State, draft: Draft, parent: PaymentState) -> Refusal | None:
    if parent.kind == "adjustment":
        return _invalid(state, parent, _ADJUSTED)
    if parent.kind not in ONE_STEP:
        return _invalid(state, parent, f"Not a {parent.kind}: only a payment in one step is reversed.")
    if parent.status != "SETTLED":
        return _invalid(state, parent, f"The payment is {parent.status}.")
    if parent.refunded_amount:
        return _invalid(state, parent, "Money of it has been given back already.")
    return not_active(state, draft) or short_of_funds(draft.sender, draft.amount) or overflow(draft)


def _invalid(state: State, parent: PaymentState, detail: str, **members: Any) -> Refusal:
    return Refusal("invalid_state", detail, {"current_state": parent.status_at(state.now)} | members)
