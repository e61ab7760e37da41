"""What each command does once it may: holds, postings, and what becomes of the payment acted on. Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from payments.commands import (
    Act,
    Adjust,
    Capture,
    Command,
    Expire,
    Extend,
    Move,
    Reauthorize,
    Refund,
    Reverse,
    Review,
    Void,
)
from payments.limits import count
from payments.recording import answer, record_payment, settle, show, tell, tell_of_parent
from payments.reviewing import decide_review, put_aside
from payments.state import Draft, Outcome, PaymentState, Plan, State


def carry_out(state: State, plan: Plan, command: Command, draft: Draft) -> Outcome:
    """Do what no rule refuses; return the answer."""
    return _EFFECTS[type(command)](state, plan, command, draft)


def expire(state: State, plan: Plan, command: Expire) -> None:
    """End a hold whose time is over, by the clock that was read under its locks."""
    payment = state.payments.get(command.payment_id)
    if payment is not None and payment.status == "AUTHORIZED" and payment.status_at(state.now) == "EXPIRED":
        _end(state, plan, command, payment, "EXPIRED")


def _move(state: State, plan: Plan, command: Move, draft: Draft) -> Outcome:
    count(state, plan, draft, draft.amount)
    if command.verdict == "review":
        return put_aside(state, plan, command, draft)
    if command.kind != "authorization":
        return settle(state, plan, command, draft)
    plan.journal.hold(draft.sender, draft.amount)
    expires_at = state.now + timedelta(seconds=command.expires_in)
    payment = record_payment(state, plan, command, draft, "AUTHORIZED", expires_at=expires_at)
    resource = show(state, payment)
    tell(state, plan, command, "payment.authorized", payment.id, resource)
    return answer(state, plan, command, 201, resource, payment.id)


def _capture(state: State, plan: Plan, command: Capture, draft: Draft) -> Outcome:
    parent = _parent(draft)
    plan.journal.hold(draft.sender, -draft.amount)
    outcome = settle(state, plan, command, draft)
    parent.captured_amount += draft.amount
    if command.final or parent.held == 0:
        plan.journal.hold(draft.sender, -parent.held)
        parent.status = "SETTLED"
    tell_of_parent(state, plan, command, "payment.captured", parent)
    return outcome


def _void(state: State, plan: Plan, command: Void, draft: Draft) -> Outcome:
    parent = _parent(draft)
    _end(state, plan, command, parent, "VOIDED")
    return answer(state, plan, command, 200, show(state, parent), parent.id)


def _extend(state: State, plan: Plan, command: Extend, draft: Draft) -> Outcome:
    parent = _parent(draft)
    parent.expires_at = state.now + timedelta(seconds=command.expires_in)
    tell_of_parent(state, plan, command, "payment.authorized", parent)
    return answer(state, plan, command, 200, show(state, parent), parent.id)


def _reauthorize(state: State, plan: Plan, command: Reauthorize, draft: Draft) -> Outcome:
    parent = _parent(draft)
    assert parent.authorized_amount is not None
    plan.journal.hold(draft.sender, draft.amount - parent.authorized_amount)
    count(state, plan, draft, draft.amount - parent.authorized_amount)
    parent.authorized_amount = draft.amount
    payment = record_payment(state, plan, command, draft, "SETTLED")
    tell_of_parent(state, plan, command, "payment.authorized", parent)
    return answer(state, plan, command, 201, show(state, payment), payment.id)


def _give_back(state: State, plan: Plan, command: Refund | Reverse, draft: Draft) -> Outcome:
    parent = _parent(draft)
    outcome = settle(state, plan, command, draft)
    parent.refunded_amount += draft.amount
    tell_of_parent(state, plan, command, "payment.refunded", parent)
    return outcome


def _end(state: State, plan: Plan, command: Act, payment: PaymentState, status: str) -> None:
    """Release what is held. What had been captured stays: then the payment has settled."""
    plan.journal.hold(state.accounts[payment.sender_id], -payment.held)
    payment.status = "SETTLED" if payment.captured_amount else status
    type = "captured" if payment.captured_amount else status.lower()
    tell_of_parent(state, plan, command, f"payment.{type}", payment)


def _parent(draft: Draft) -> PaymentState:
    assert draft.parent is not None
    return draft.parent


_EFFECTS: dict[type[Command], Callable[..., Outcome]] = {
    Move: _move,
    Adjust: settle,
    Capture: _capture,
    Void: _void,
    Extend: _extend,
    Reauthorize: _reauthorize,
    Refund: _give_back,
    Reverse: _give_back,
    Review: decide_review,
}
