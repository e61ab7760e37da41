"""A payment that somebody must decide about first: put aside as CREATED, later approved or denied. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from payments.commands import Move, Review
from payments.limits import give_back
from payments.moving import decline_move
from payments.recording import (
    answer,
    post,
    record_failure,
    record_payment,
    show,
    tell,
    tell_of_parent,
)
from payments.state import Draft, Outcome, PaymentState, Plan, Refusal, State

DENIED = Refusal("payment_denied", "The payment was denied.")


def put_aside(state: State, plan: Plan, command: Move, draft: Draft) -> Outcome:
    """Record the payment as CREATED: nothing is moved or held before it is decided."""
    expires_at = state.now + timedelta(seconds=command.expires_in) if command.kind == "authorization" else None
    payment = record_payment(state, plan, command, draft, "CREATED", expires_at=expires_at)
    resource = show(state, payment)
    tell(state, plan, command, "payment.created", payment.id, resource)
    return answer(state, plan, command, 202, resource, payment.id)


def decide_review(state: State, plan: Plan, command: Review, draft: Draft) -> Outcome:
    """
    Approve or deny what was put aside.

    What is approved, and may not happen any more (the money is gone, a wallet suspended), fails for that. Its
    wallet's limits were asked when it was made, and it counts since then.
    """
    payment = draft.parent
    assert payment is not None
    asked = replace(draft, kind=payment.kind)
    refusal = decline_move(state, asked) if command.approve else DENIED
    failure = None
    if refusal is not None:
        failure = _fail(state, plan, command, payment, refusal)
    elif payment.kind == "authorization":
        _authorize(state, plan, command, payment, asked)
    else:
        _settle(state, plan, command, payment, asked)
    return answer(state, plan, command, 200, show(state, payment, failure), payment.id)


def _authorize(state: State, plan: Plan, command: Review, payment: PaymentState, asked: Draft) -> None:
    """Hold the amount, from now on for as long as was asked for."""
    assert payment.expires_at is not None
    plan.journal.hold(asked.sender, payment.amount)
    payment.status, payment.expires_at = "AUTHORIZED", state.now + (payment.expires_at - payment.created_at)
    tell_of_parent(state, plan, command, "payment.authorized", payment)


def _settle(state: State, plan: Plan, command: Review, payment: PaymentState, asked: Draft) -> None:
    """Post it: at the time that was asked for, or now where none was."""
    payment.status = "SETTLED"
    plan.changed[payment.id] = payment
    chosen = payment.effective_at if payment.effective_at != payment.created_at else state.now
    entries = post(state, plan, payment, asked, effective_at=chosen)
    tell(state, plan, command, "payment.settled", payment.id, show(state, payment) | {"entries": entries})


def _fail(state: State, plan: Plan, command: Review, payment: PaymentState, refusal: Refusal) -> dict[str, str]:
    payment.status, payment.authorized_amount, payment.expires_at = "FAILED", None, None
    give_back(state, plan, payment)
    plan.changed[payment.id] = payment
    failure = record_failure(state, plan, payment, refusal)
    tell(state, plan, command, "payment.failed", payment.id, show(state, payment, failure))
    return failure
