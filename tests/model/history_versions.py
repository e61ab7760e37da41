"""Which version of a wallet or payment a read saw, and between which steps that puts it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.model.history import Anomaly, Operation, cents, moment
from tests.model.history_model import Held, Model


@dataclass(slots=True)
class Versions:
    """What each wallet and payment was after each step that touched it. ``step`` None: from the beginning."""

    of: dict[str, list[tuple[Any, Hashable]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, step: Any, model: Model) -> None:
        for account in set(step.accounts) & self.of.keys():
            now = model.account(account)
            self._add(account, step, (now.balance, now.held, now.booked))
        touched = {event.subject for event in step.events} | ({step.made.id} if step.made else set())
        for payment in touched & model.payments.keys():
            self._add(payment, step, _seen_of(model.payments[payment]))

    def _add(self, name: str, step: Any, value: Hashable) -> None:
        """A step that changes nothing, as a decline, makes no version: no read can tell."""
        chain = self.of[name]
        if not chain or chain[-1][1] != value:
            chain.append((step, value))


def _seen_of(payment: Held) -> Hashable:
    return payment.status, payment.authorized, payment.captured, payment.refunded, payment.expires


@dataclass(slots=True)
class Placed:
    """``edges`` are (step before, read, step after), each step or None."""

    edges: list[tuple[Any, Operation, Any]] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    ambiguous: int = 0


def place_reads(reads: Sequence[Operation], versions: Versions, steps: Sequence[Any]) -> Placed:
    """
    Find for each read the version it saw, among those that were there at some time while it ran.

    Where several look the same, it came after the first and before the end of the last: too little is
    then concluded, never too much.
    """
    placed = Placed()
    index = {name: _by_value(found) for name, found in versions.of.items()}
    for read in reads:
        saw, chain = _saw(read), versions.of.get(read.subject, [])
        same = index.get(read.subject, {}).get(saw, [])
        possible = [place for place in same if _overlaps(chain, place, read)]
        if not same:
            placed.anomalies.append(Anomaly("value from nowhere", f"{read.verb} {read.subject} saw {saw}"))
        elif not possible:
            placed.anomalies.append(Anomaly("stale read", f"{read.verb} {read.subject} saw {saw}, before or after it"))
        else:
            placed.ambiguous += len(possible) > 1
            after = possible[-1] + 1
            placed.edges.append((chain[possible[0]][0], read, chain[after][0] if after < len(chain) else None))
    return placed


def _by_value(chain: list[tuple[Any, Hashable]]) -> dict[Hashable, list[int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, (_, value) in enumerate(chain):
        places[value].append(place)
    return places


def _saw(read: Operation) -> Hashable:
    answer = read.answer
    if read.verb == "read_wallet":
        balance, held = cents(answer["balance"]), cents(answer["held"])
        if cents(answer["available"]) != balance - held:
            return "available is not balance less held", answer["available"]
        return balance, held, moment(answer["at"])
    authorized, expires = answer["authorized_amount"], answer["expires_at"]
    return (
        answer["status"], None if authorized is None else cents(authorized), cents(answer["captured_amount"]),
        cents(answer["refunded_amount"]), None if expires is None else moment(expires),
    )  # fmt: skip


def _overlaps(chain: list[tuple[Any, Hashable]], place: int, read: Operation) -> bool:
    begun = chain[place][0]
    ended = chain[place + 1][0] if place + 1 < len(chain) else None
    return (begun is None or begun.invoked < read.answered) and (ended is None or ended.answered > read.invoked)
