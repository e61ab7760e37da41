"""What a decided payment leaves behind: its row, its events, its answer. Pure: all of it goes into the plan."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from events.outbox import Fact
from ledger.posting import Leg
from payments.commands import Command
from payments.representation import represent
from payments.state import Draft, Outcome, PaymentState, Plan, Refusal, State
from walletplatform.api.problems import CATALOGUE, problem_bytes

CATEGORY = {
    "asset_mismatch": "client",
    "balance_overflow": "platform",
    "insufficient_funds": "customer",
    "invalid_state": "client",
    "limit_exceeded": "limit",
    "payment_denied": "risk",
    "review_required": "risk",
    "wallet_not_active": "customer",
}


def record_payment(
    state: State,
    plan: Plan,
    command: Command,
    draft: Draft,
    status: str,
    *,
    expires_at: datetime | None = None,
) -> PaymentState:
    """Add a new payment's row to the plan and return the payment."""
    payment = PaymentState(
        state.new_id(), draft.kind, status, draft.sender.asset, draft.amount, draft.sender.id, draft.receiver.id,
        draft.parent.id if draft.parent else None, draft.description, draft.metadata, command.request_id,
        state.now, draft.effective_at or state.now,
        authorized_amount=draft.amount if expires_at else None, expires_at=expires_at,
    )  # fmt: skip
    plan.payments.append(
        (
            payment.id, payment.kind, status, payment.asset, payment.amount, payment.sender_id, payment.receiver_id,
            payment.parent_id, command.principal.id, command.key, command.request_id, payment.description,
            orjson.dumps(payment.metadata).decode(), payment.created_at, payment.effective_at,
            payment.authorized_amount, payment.expires_at,
        )
    )  # fmt: skip
    return payment


def settle(state: State, plan: Plan, command: Command, draft: Draft) -> Outcome:
    """Post the payment, tell ``payment.settled`` with its entries, and answer with it."""
    payment = record_payment(state, plan, command, draft, "SETTLED")
    entries = post(state, plan, payment, draft, effective_at=payment.effective_at)
    resource = show(state, payment)
    tell(state, plan, command, "payment.settled", payment.id, resource | {"entries": entries})
    return answer(state, plan, command, 201, resource, payment.id)


def post(
    state: State, plan: Plan, payment: PaymentState, draft: Draft, *, effective_at: datetime
) -> list[dict[str, Any]]:
    """Post the payment's transaction; return its entries as an event tells them."""
    return plan.journal.post(
        transaction_id=payment.id,
        kind=payment.kind,
        legs=[Leg(draft.sender, -draft.amount), Leg(draft.receiver, draft.amount)],
        booked_at=state.now,
        effective_at=effective_at,
    )


def fail(state: State, plan: Plan, command: Command, draft: Draft, refusal: Refusal, **answered: Any) -> Outcome:
    """Keep a declined payment as FAILED, with its reason; the problem document is final for the key."""
    payment = record_payment(state, plan, command, draft, "FAILED")
    failure = record_failure(state, plan, payment, refusal)
    tell(state, plan, command, "payment.failed", payment.id, show(state, payment, failure))
    members = refusal.members | answered
    body = problem_bytes(refusal.code, refusal.detail, command.request_id, payment_id=str(payment.id), **members)
    return keep(state, plan, command, Outcome(CATALOGUE[refusal.code].status, body, refusal.code), payment.id)


def record_failure(state: State, plan: Plan, payment: PaymentState, refusal: Refusal) -> dict[str, str]:
    """Add why a payment FAILED to the plan; return it as the payment shows it."""
    failure = {"code": refusal.code, "category": CATEGORY[refusal.code], "detail": refusal.detail}
    plan.failures.append((payment.id, *failure.values(), state.now))
    return failure


def refuse(command: Command, refusal: Refusal, **members: Any) -> Outcome:
    """Answer without storing anything: the key stays unused."""
    if refusal.pointer:
        members["errors"] = [{"pointer": refusal.pointer, "code": refusal.code, "detail": refusal.detail}]
    body = problem_bytes(refusal.code, refusal.detail, command.request_id, **refusal.members, **members)
    return Outcome(CATALOGUE[refusal.code].status, body, refusal.code)


def answer(
    state: State, plan: Plan, command: Command, status: int, resource: dict[str, Any], resource_id: UUID
) -> Outcome:
    """Answer with a payment, and keep the answer under the command's key."""
    outcome = Outcome(status, orjson.dumps(resource), resource["status"].lower())
    return keep(state, plan, command, outcome, resource_id)


def keep(state: State, plan: Plan, command: Command, outcome: Outcome, resource_id: UUID) -> Outcome:
    """Keep an outcome under the command's key, where it has one of its own."""
    if command.keeps_key:
        plan.keys.append(
            (
                command.principal.id, command.key, command.fingerprint,
                outcome.status, outcome.body, resource_id, state.now,
            )
        )  # fmt: skip
    return outcome


def tell(state: State, plan: Plan, command: Command, type: str, subject: UUID, data: dict[str, Any]) -> None:
    plan.facts.append(
        Fact(
            event_id=state.new_id(),
            type=type,
            subject=subject,
            time=state.now,
            correlation_id=command.request_id,
            traceparent=command.traceparent,
            data=data,
        )
    )


def tell_of_parent(state: State, plan: Plan, command: Command, type: str, parent: PaymentState) -> None:
    """Write the parent as it is now, and tell what has become of it."""
    plan.changed[parent.id] = parent
    tell(state, plan, command, type, parent.id, show(state, parent))


def show(state: State, payment: PaymentState, failure: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a payment as the API shows it."""
    return represent(
        payment,
        asset=payment.asset,
        scale=state.accounts[payment.sender_id].scale,
        sender_kind=state.accounts[payment.sender_id].kind,
        receiver_kind=state.accounts[payment.receiver_id].kind,
        failure=failure,
    )
