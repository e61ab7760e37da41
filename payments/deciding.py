"""
Decide a batch: pure Python, without I/O, clock or randomness.

Commands are decided in the order given, each on what those before it left. A refusal is an outcome,
never an exception; one that is ``declined`` is stored as a FAILED payment and final for its key.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.idempotency import StoredOutcome
from ledger.posting import Journal
from payments.acting import decline_act, draft_act
from payments.adjusting import draft_adjustment
from payments.auditing import seen, sign
from payments.commands import Act, Adjust, Command, Expire, Move
from payments.effects import carry_out, expire
from payments.limits import over_limit
from payments.moving import decline_move, draft_move
from payments.recording import fail, refuse
from payments.reviewing import DENIED
from payments.state import Draft, Outcome, Plan, Refusal, State
from walletplatform.api.problems import CATALOGUE

_NOTHING = Outcome(200, b"", "expired")


def decide(state: State, commands: Sequence[Command]) -> tuple[list[Outcome], Plan]:
    """Return the outcome of each command, and the rows to write for all of them."""
    plan = new_plan(state)
    return [decide_one(state, plan, command) for command in commands], plan


def new_plan(state: State) -> Plan:
    return Plan(journal=Journal(new_id=state.new_id))


def decide_one(state: State, plan: Plan, command: Command) -> Outcome:
    """Decide a command on the state as it is by now, and add what it does to state and plan."""
    if isinstance(command, Expire):
        expire(state, plan, command)
        return _NOTHING
    replayed = replay(state, command)
    if replayed is not None:
        return replayed
    draft, refusal = examine(state, command)
    if draft is None:
        assert refusal is not None
        return refuse(command, refusal)
    by_staff = command.principal.kind == "staff"
    before = seen(draft) if by_staff else None
    outcome = carry_out(state, plan, command, draft) if refusal is None else fail(state, plan, command, draft, refusal)
    if by_staff:
        sign(plan, command, draft, before, outcome)
    remember(state, command, outcome)
    return outcome


def examine(state: State, command: Command) -> tuple[Draft | None, Refusal | None]:
    """
    Ask the rules, and change nothing: ``(draft, None)`` may be carried out.

    ``(draft, refusal)`` is declined, to be kept as FAILED; ``(None, refusal)`` can never be right.
    """
    if isinstance(command, Move):
        draft = draft_move(state, command)
        refusal = draft if isinstance(draft, Refusal) else _decline(state, command, draft)
    elif isinstance(command, Adjust):
        draft = draft_adjustment(state, command)
        refusal = draft if isinstance(draft, Refusal) else decline_move(state, draft)
    else:
        assert isinstance(command, Act)
        draft = draft_act(state, command)
        refusal = draft if isinstance(draft, Refusal) else decline_act(state, command, draft)
    if isinstance(draft, Refusal):
        return None, draft
    assert refusal is None or CATALOGUE[refusal.code].outcome == "declined"
    return draft, refusal


def _decline(state: State, command: Move, draft: Draft) -> Refusal | None:
    if command.verdict == "deny":
        return DENIED
    return decline_move(state, draft) or over_limit(state, draft, draft.amount)


def replay(state: State, command: Command) -> Outcome | None:
    """Return what the command's key was answered before, or None where the key is free."""
    stored = state.keys.get(command.scoped_key) if command.keeps_key else None
    if stored is None:
        return None
    if stored.fingerprint != command.fingerprint:
        return refuse(command, Refusal("idempotency_key_reused", "This key was used for another request."))
    return Outcome(stored.status, stored.body, "replayed", replayed=True)


def remember(state: State, command: Command, outcome: Outcome) -> None:
    """A key that comes again within the batch meets its outcome here."""
    if command.keeps_key:
        state.keys[command.scoped_key] = StoredOutcome(command.fingerprint, outcome.status, outcome.body)
