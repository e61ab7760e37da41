"""
Many payments in one request: a batch of moves, or several holds captured or voided together.

A bundle is decided in one go and has a key of its own, under which its whole answer is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from payments.acting import draft_act
from payments.commands import Act, Command, Move
from payments.deciding import decide_one, new_plan, replay
from payments.moving import draft_move
from payments.recording import fail, keep, refuse
from payments.state import Draft, Outcome, Plan, Refusal, State
from walletplatform.api.problems import CATALOGUE, problem_bytes

_FORM = frozenset(orjson.loads(problem_bytes("not_found", "", ""))) - {"code", "detail"}
_PREDECESSOR = Refusal("predecessor_failed", "The payment that this one comes after did not succeed.")

# All or none cannot wait for somebody.
_REVIEW = Refusal("review_required", "This payment needs somebody's decision first: send it alone.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle(Command):
    """
    ``commands`` under one key, all or none where ``atomic``; ``pointer`` is where they stand in the body.

    ``after[n]`` is the place of an earlier command without which command ``n`` is not executed.
    """

    commands: Sequence[Command]
    after: Sequence[int | None]
    atomic: bool
    pointer: str
    status: int

    def compose(self, outcomes: Sequence[Outcome]) -> bytes:
        """Return the answer's body: every outcome in the order asked."""
        return b'{"data":[' + b",".join(outcome.body for outcome in outcomes) + b"]}"


class Batch(Bundle):
    """Moves, each with a key of its own besides."""

    def compose(self, outcomes: Sequence[Outcome]) -> bytes:
        results = [
            b'{"index":%d,"idempotency_key":%b,"status":%d,"replayed":%b,"%b":%b}'
            % (
                index,
                orjson.dumps(command.key),
                outcome.status,
                b"true" if outcome.replayed else b"false",
                b"payment" if outcome.status < 400 else b"problem",
                outcome.body,
            )
            for index, (command, outcome) in enumerate(zip(self.commands, outcomes, strict=True))
        ]
        mode = b"atomic" if self.atomic else b"independent"
        return b'{"mode":"%b","results":[%b]}' % (mode, b",".join(results))


def decide_bundle(state: State, bundle: Bundle) -> tuple[tuple[Outcome, list[Outcome]], Plan]:
    """Return the bundle's outcome with those of its commands, and the rows to write."""
    plan = new_plan(state)
    replayed = replay(state, bundle)
    if replayed is not None:
        return (replayed, []), plan
    outcomes: list[Outcome] = []
    for place, (command, after) in enumerate(zip(bundle.commands, bundle.after, strict=True)):
        if after is not None and not outcomes[after].has_happened:
            # What its key had done before stays done, and is told.
            outcome = replay(state, command) or refuse(command, _PREDECESSOR)
        else:
            outcome = decide_one(state, plan, command)
        if bundle.atomic and not outcome.has_happened:
            if outcome.status < 400:
                outcome = refuse(command, _REVIEW)
            return _refuse_all(state, bundle, place, outcome)
        outcomes.append(outcome)
    whole = Outcome(bundle.status, bundle.compose(outcomes), "executed")
    return (keep(state, plan, bundle, whole, _first_payment(state, plan)), outcomes), plan


def _refuse_all(
    state: State, bundle: Bundle, place: int, refused: Outcome
) -> tuple[tuple[Outcome, list[Outcome]], Plan]:
    """
    Answer with what refused one command, and do nothing of the others.

    Where that was a decline, it stands as one FAILED payment under the bundle's key; the commands' own
    keys stay free. What the others did to ``state`` is never written: a FAILED payment does not hang on it.
    """
    plan = new_plan(state)
    problem = orjson.loads(refused.body)
    pointer = f"{bundle.pointer}/{place}"
    errors = [{"pointer": pointer, "code": problem["code"], "detail": problem["detail"]}]
    members = {name: value for name, value in problem.items() if name not in _FORM and name != "errors"}
    code, detail = members.pop("code"), members.pop("detail")
    if CATALOGUE[code].outcome != "declined" or refused.replayed:
        body = problem_bytes(code, detail, bundle.request_id, errors=errors, **members)
        outcome = Outcome(refused.status, body, code)
        if CATALOGUE[code].outcome == "declined":
            keep(state, plan, bundle, outcome, UUID(members["payment_id"]))
    else:
        members.pop("payment_id", None)
        command = replace(bundle.commands[place], key=bundle.key, fingerprint=bundle.fingerprint, keeps_key=True)
        draft = _draft(state, command)
        outcome = fail(state, plan, command, draft, Refusal(code, detail, members), errors=errors)
    return (outcome, []), plan


def _draft(state: State, command: Command) -> Draft:
    draft = draft_move(state, command) if isinstance(command, Move) else _draft_act(state, command)
    assert isinstance(draft, Draft)  # it was one before, and that does not hang on what moved since
    return draft


def _draft_act(state: State, command: Command) -> Draft | Refusal:
    assert isinstance(command, Act)
    return draft_act(state, command)


def _first_payment(state: State, plan: Plan) -> UUID:
    """What the bundle's key stands for: one payment is enough to find the others by."""
    made: Any = plan.payments[0][0] if plan.payments else next(iter(plan.changed), None)
    return made or state.new_id()
