"""
Decide a batch: pure Python, without I/O, clock or randomness.

Commands are decided in the order given, each on what those before it left. A refusal is an outcome,
never an exception; one that is ``declined`` is stored as a FAILED payment and final for its key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from events.outbox import Fact
from ledger.idempotency import StoredOutcome
from ledger.posting import Journal, Leg
from payments.commands import Move
from payments.moving import Sides, decline, find_sides
from payments.representation import represent
from payments.state import Outcome, Plan, Refusal, State
from walletplatform.api.problems import CATALOGUE, problem_bytes

CATEGORY = {
    "asset_mismatch": "client",
    "balance_overflow": "platform",
    "insufficient_funds": "customer",
    "wallet_not_active": "customer",
}


def decide(state: State, commands: Sequence[Move]) -> tuple[list[Outcome], Plan]:
    """Return the outcome of each command, and the rows to write for all of them."""
    plan = Plan(journal=Journal(new_id=state.new_id))
    return [_decide(state, plan, command) for command in commands], plan


def _decide(state: State, plan: Plan, command: Move) -> Outcome:
    stored = state.keys.get(command.scoped_key)
    if stored is not None:
        return _replay(stored, command)
    sides = find_sides(state, command)
    if isinstance(sides, Refusal):
        return _refused(sides, command)
    refusal = decline(state, sides)
    payment_id = state.new_id()
    if refusal is None:
        outcome, facts = _settle(state, plan, command, sides, payment_id)
    else:
        outcome, facts = _fail(state, plan, command, sides, payment_id, refusal)
    plan.facts.append(facts)
    plan.keys.append(
        (
            command.principal.id, command.key, command.fingerprint,
            outcome.status, outcome.body, payment_id, state.now,
        )
    )  # fmt: skip
    # A key that comes again within the batch meets its outcome here.
    state.keys[command.scoped_key] = StoredOutcome(command.fingerprint, outcome.status, outcome.body)
    return outcome


def _settle(state: State, plan: Plan, command: Move, sides: Sides, payment_id: UUID) -> tuple[Outcome, Fact]:
    entries = plan.journal.post(
        transaction_id=payment_id,
        kind=command.kind,
        legs=[Leg(sides.sender, -sides.amount), Leg(sides.receiver, sides.amount)],
        booked_at=state.now,
        effective_at=state.now,
    )
    resource = _record(state, plan, command, sides, payment_id, "SETTLED")
    fact = _fact(state, command, "payment.settled", payment_id, resource | {"entries": entries})
    return Outcome(201, orjson.dumps(resource), "settled"), fact


def _fail(
    state: State, plan: Plan, command: Move, sides: Sides, payment_id: UUID, refusal: Refusal
) -> tuple[Outcome, Fact]:
    failure = {
        "code": refusal.code,
        "category": CATEGORY[refusal.code],
        "detail": refusal.detail,
    }
    plan.failures.append((payment_id, *failure.values(), state.now))
    resource = _record(state, plan, command, sides, payment_id, "FAILED", failure)
    body = problem_bytes(
        refusal.code, refusal.detail, command.request_id, payment_id=str(payment_id), **refusal.members
    )
    fact = _fact(state, command, "payment.failed", payment_id, resource)
    return Outcome(CATALOGUE[refusal.code].status, body, refusal.code), fact


def _record(
    state: State,
    plan: Plan,
    command: Move,
    sides: Sides,
    payment_id: UUID,
    status: str,
    failure: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Add the payment's row to the plan and return the payment as the API shows it."""
    plan.payments.append(
        (
            payment_id, command.kind, status, sides.sender.asset, sides.amount,
            sides.sender.id, sides.receiver.id, command.principal.id, command.key,
            command.request_id, command.description, orjson.dumps(command.metadata).decode(),
            state.now, state.now,
        )
    )  # fmt: skip
    return represent(
        id=payment_id,
        kind=command.kind,
        status=status,
        asset=sides.sender.asset,
        scale=sides.sender.scale,
        amount=sides.amount,
        sender_id=sides.sender.id,
        receiver_id=sides.receiver.id,
        description=command.description,
        metadata=command.metadata,
        request_id=command.request_id,
        created_at=state.now,
        effective_at=state.now,
        failure=failure,
    )


def _fact(state: State, command: Move, type: str, payment_id: UUID, data: dict[str, Any]) -> Fact:
    return Fact(
        event_id=state.new_id(),
        type=type,
        subject=payment_id,
        time=state.now,
        correlation_id=command.request_id,
        traceparent=command.traceparent,
        data=data,
    )


def _replay(stored: StoredOutcome, command: Move) -> Outcome:
    if stored.fingerprint != command.fingerprint:
        reused = Refusal("idempotency_key_reused", "This key was used for another request.")
        return _refused(reused, command)
    return Outcome(stored.status, stored.body, "replayed", replayed=True)


def _refused(refusal: Refusal, command: Move) -> Outcome:
    """Answer without storing anything: the key stays unused."""
    errors = None
    if refusal.code in ("validation_error", "amount_scale"):
        errors = [{"pointer": "/amount", "code": refusal.code, "detail": refusal.detail}]
    body = problem_bytes(refusal.code, refusal.detail, command.request_id, errors=errors, **refusal.members)
    return Outcome(CATALOGUE[refusal.code].status, body, refusal.code)
