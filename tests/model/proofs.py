"""The proofs by name: what each tries, how often, and against which figure of the promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.model import (
    differential,
    failpoints_proof,
    history_proof,
    machine,
    over_http,
    storms_crowd,
    storms_duplicates,
    storms_events,
    storms_expiry,
    storms_kills,
    storms_pairs,
    storms_receivers,
)

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Proof:
    """``count`` is what it is tried with, ``short`` what it is with little time; ``what`` for a person."""

    name: str
    what: str
    count: int
    short: int
    prove: Callable[[int, int, Progress], list[str]]


PROOFS = [
    Proof("model_in_process", "random requests decided as the model says", 1_000_000, 50_000, differential.prove),
    Proof("model_over_http", "the same over HTTP, with faults", 50_000, 800, over_http.prove),
    Proof("state_machine", "steps of a Hypothesis state machine, with faults", 5_000, 200, machine.prove),
    Proof("concurrent_history", "concurrent operations, with faults, in one order", 50_000, 1_500, history_proof.prove),
    Proof("duplicate_storm", "keys sent 16 times at once, one effect each", 10_000, 100, storms_duplicates.prove),
    Proof("expiry_against_capture", "holds captured as they expire: one of both", 10_000, 200, storms_expiry.prove),
    Proof("pairs_of_verbs", "every pair of verbs raced on one payment", 3_000, 100, storms_pairs.prove),
    Proof("fail_points", "deaths: each fail point x each money endpoint, once", 108, 6, failpoints_proof.prove),
    Proof("postgres_kills", "SIGKILLs of PostgreSQL under load", 50, 3, storms_kills.prove),
    Proof("events", "payments told on every channel, all of it killed", 100_000, 2_000, storms_events.prove),
    Proof("sick_receivers", "payments told beside 1,000 webhooks that hang or fail", 400, 0, storms_receivers.prove),
    Proof("crowd_on_one_wallet", "payments of 200 clients from one wallet", 21_000, 1_200, storms_crowd.prove),
]  # fmt: skip
