"""
Is there a serial execution that explains what everybody saw?

The ledger says in which order each account's payments happened: by the positions of its events, which
``seq`` of its entries must confirm. In that order a plain model executes the requests one by one; every
answer, every entry and every balance must be what it says. Reads are given the version that they saw.
What remains is time (``history_order``): an operation that was answered before another was sent comes
before it, so all of this must fit into one order without a ring.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import Any

from tests.model.history import ACTS, EXPIRY, READS, Anomaly, EventRow, History, Operation, PaymentRow, moment
from tests.model.history_model import Answer, Model
from tests.model.history_order import out_of_time
from tests.model.history_versions import Versions, place_reads


@dataclass(slots=True)
class Request:
    """All copies of one request, under one key; they have one effect, between the first copy and an answer."""

    copies: list[Operation]

    @property
    def first(self) -> Operation:
        return self.copies[0]

    @property
    def ids(self) -> set[str]:
        return {copy.id for copy in self.copies}

    @property
    def known(self) -> Operation | None:
        return min((copy for copy in self.copies if copy.is_known), key=lambda c: c.answered, default=None)


@dataclass(slots=True)
class Step:
    """An effect as the ledger has it. ``request`` is None where the platform itself did it."""

    position: int
    time: datetime
    events: list[EventRow]
    request: Request | None
    invoked: float = -inf
    answered: float = inf
    made: PaymentRow | None = None
    accounts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        if self.request is None:
            return f"expiry of {self.events[0].subject}"
        return f"{self.request.first.verb} {self.request.first.key}"


@dataclass(slots=True)
class Verdict:
    anomalies: list[Anomaly] = field(default_factory=list)
    steps: int = 0
    reads: int = 0
    ambiguous: int = 0

    def note(self, kind: str, detail: str) -> None:
        self.anomalies.append(Anomaly(kind, detail))


def check(history: History) -> Verdict:
    """Return everything that no serial execution explains; nothing where there is one."""
    verdict = Verdict()
    for operation in history.operations:
        if operation.status >= 500:
            verdict.note("server error", f"{operation.verb} {operation.id}: {operation.status} {operation.raw[:300]!r}")
    requests = _requests(history.operations)
    steps = _steps(history, requests, verdict)
    _check_effects(history, requests, steps, verdict)
    chains = _chains(steps)
    _check_chains(history, chains, verdict)
    if verdict.anomalies:
        return verdict  # an order that is not one explains nothing
    versions = _replay(history, steps, verdict)
    reads = [operation for operation in history.operations if operation.verb in READS and operation.status == 200]
    placed = place_reads(reads, versions, steps)
    verdict.steps, verdict.reads, verdict.ambiguous = len(steps), len(reads), placed.ambiguous
    verdict.anomalies += placed.anomalies
    verdict.anomalies += out_of_time(steps, chains, reads, placed.edges)
    return verdict


def _requests(operations: list[Operation]) -> list[Request]:
    by_key: dict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.verb not in READS:
            by_key[operation.key].append(operation)
    return [Request(sorted(copies, key=lambda copy: copy.invoked)) for copies in by_key.values()]


def _steps(history: History, requests: list[Request], verdict: Verdict) -> list[Step]:
    """Every effect in the ledger, in the order of its position, with the request that it is of."""
    of = {id: request for request in requests for id in request.ids}
    by_request: dict[Any, list[EventRow]] = defaultdict(list)
    for event in sorted(history.ledger.events, key=lambda event: event.position):
        # What the sweep does about each hold is an effect of its own.
        by_request[(EXPIRY, event.position) if event.request == EXPIRY else event.request].append(event)
    made = {row.request: row for row in history.ledger.payments.values()}
    steps = []
    for name, events in by_request.items():
        request = None if isinstance(name, tuple) else of.get(name)
        if request is None and not isinstance(name, tuple):
            verdict.note("effect from nowhere", f"request {name} of {events[0].subject}: nobody sent it")
            continue
        step = Step(events[0].position, events[0].time, events, request, made=made.get(name) if request else None)
        if request is not None:
            step.invoked = request.first.invoked
            step.answered = request.known.answered if request.known else inf
        row = step.made or history.ledger.payments[events[-1].subject]
        step.accounts = (row.sender, row.receiver)
        steps.append(step)
    return sorted(steps, key=lambda step: step.position)


def _check_effects(history: History, requests: list[Request], steps: list[Step], verdict: Verdict) -> None:
    """One request, one effect; one key, one answer."""
    effects: dict[int, list[Step]] = defaultdict(list)
    for step in steps:
        if step.request is not None:
            effects[id(step.request)].append(step)
    rows: dict[str, int] = defaultdict(int)
    for row in history.ledger.payments.values():
        rows[row.key] += 1
    for request in requests:
        first, found = request.first, effects[id(request)]
        told = [event.type for step in found for event in step.events if event.type != "payment.settled"]
        if len(found) > 1 or rows[first.key] > 1 or len(told) != len(set(told)):
            verdict.note("double effect", f"{first.verb} {first.key} happened {max(len(found), rows[first.key])} times")
        answers = {(copy.status, copy.raw) for copy in request.copies if copy.is_known}
        if len(answers) > 1:
            verdict.note("different answers", f"{first.verb} {first.key}: {sorted(answers)}"[:400])
        for status, raw in answers:
            executed = status in (200, 201) or b'"payment_id"' in raw
            if executed and not found:
                verdict.note("lost effect", f"{first.verb} {first.key} was answered {status}, and is not there")
            if found and not executed:
                verdict.note("effect of a refusal", f"{first.verb} {first.key} was answered {status}: {raw[:200]!r}")


def _chains(steps: list[Step]) -> dict[str, list[Step]]:
    """Each account's steps in their order. They held its lock one after the other."""
    chains: dict[str, list[Step]] = defaultdict(list)
    for step in steps:
        for account in step.accounts:
            chains[account].append(step)
    return chains


def _check_chains(history: History, chains: dict[str, list[Step]], verdict: Verdict) -> None:
    """The entries by ``seq`` come in the order of the events, and the clock of an account never goes back."""
    entries: dict[str, list[Any]] = defaultdict(list)
    for entry in history.ledger.entries:
        entries[entry.account].append(entry)
    for account, chain in chains.items():
        places = {step.made.id: place for place, step in enumerate(chain) if step.made}
        posted = sorted(entries[account], key=lambda entry: entry.seq)
        order = [places[entry.transaction] for entry in posted if entry.transaction in places]
        if order != sorted(order):
            verdict.note("order violation", f"account {account}: its entries come in another order than its events")
        for before, after in pairwise(chain):
            if after.time < before.time:
                verdict.note("clock went back", f"account {account}: {before.name} then {after.name}")


def _replay(history: History, steps: list[Step], verdict: Verdict) -> Versions:
    """Execute every step on the model, in order; compare; keep what each account and payment was in between."""
    named = {account for step in steps for account in step.accounts}
    system = frozenset(named - history.ledger.accounts.keys())
    model, versions = Model(system=system), Versions()
    for account, (balance, since) in history.opening.items():
        model.account(account).balance, model.account(account).booked = balance, since
        versions.of[account].append((None, (balance, 0, since)))
    entries = {(entry.account, entry.transaction): entry for entry in history.ledger.entries}
    for step in steps:
        for kind, detail in _execute(model, step, history):
            verdict.note(kind, f"{step.name}: {detail}")
        versions.add(step, model)
        for account in set(step.accounts) - system if step.made else ():
            entry = entries.get((account, step.made.id))
            if entry is not None and entry.balance_after != model.account(account).balance:
                verdict.note(
                    "wrong balance",
                    f"{step.name} left {entry.balance_after} on {account}, not {model.account(account).balance}",
                )
    for account, (balance, held) in history.ledger.accounts.items():
        now = model.account(account)
        if (balance, held) != (now.balance, now.held):
            verdict.note("wrong end", f"{account} ends at {balance} with {held} held, not {now.balance}, {now.held}")
    return versions


def _execute(model: Model, step: Step, history: History) -> Iterator[tuple[str, str]]:
    if step.request is None:
        if not model.expire(step.events[0].subject, step.time):
            yield "expired early", f"at {step.time}"
        return
    first, known = step.request.first, step.request.known
    id = step.made.id if step.made else ""
    if first.verb in ACTS:
        expected = model.act(first.verb, id, first.subject, first.body, step.time)
    else:
        assert step.made is not None
        expected = model.move(first.verb, id, (step.made.sender, step.made.receiver), first.body, step.time)
    if known is not None:
        yield from _differences(expected, known)
    row = history.ledger.payments.get(id)
    if row is not None and (row.status == "FAILED") != ("code" in expected):
        yield "wrong outcome", f"stored as {row.status}, where {expected} was right"


def _differences(expected: Answer, known: Operation) -> Iterator[tuple[str, str]]:
    answer, expected = known.answer, dict(expected)
    if known.status != expected.pop("http"):
        yield "wrong answer", f"{known.status} {known.raw[:300]!r}, where {expected} was right"
        return
    if answer.get("expires_at"):
        answer["expires_at"] = moment(answer["expires_at"])
    wrong = {name: (answer.get(name), value) for name, value in expected.items() if answer.get(name) != value}
    if wrong:
        yield "wrong answer", f"(answered, right): {wrong}"
