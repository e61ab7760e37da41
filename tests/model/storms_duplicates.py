"""The duplicate storm: each request sent by sixteen connections at the same moment, and one effect of each."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from random import Random
from typing import Any
from uuid import uuid4

from tests.model.history import text
from tests.model.history_platform import Arena, Reply, arena, at_once

COPIES = 16
WALLETS = 6
Progress = Callable[[int], None]
Plan = tuple[str, dict[str, Any]]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        return run(started, count, seed, progress)


def run(started: Arena, count: int, seed: int, progress: Progress) -> list[str]:
    """Storm with ``count`` keys; return what happened more or less than once, or was told differently."""
    storm = _Storm(started, count, seed)
    at_once(COPIES, lambda number: storm.send_all(started, number, progress))
    return storm.violations(started) + started.faults_of_the_ledger()


class _Storm:
    def __init__(self, started: Arena, count: int, seed: int) -> None:
        self.chance = Random(seed)
        self.wallets = [started.wallet("3000.00") for _ in range(WALLETS)]
        self.keys = [f"{uuid4().hex}-{number}" for number in range(count)]
        self.answers: list[set[tuple[int, bytes]]] = [set() for _ in range(count)]
        self.replays = [0] * count
        self.holds: list[str] = []
        self.plan: Plan = ("", {})
        self.barrier = threading.Barrier(COPIES, action=self._next)
        self.place = -1

    def _next(self) -> None:
        """Choose the next request, while everybody waits: some are declined, some act on a hold before them."""
        if self.place >= 0:
            for status, body in self.answers[self.place]:
                if status == 201 and b'"AUTHORIZED"' in body:
                    self.holds.append(json.loads(body)["id"])
        self.place += 1
        amount = {"amount": text(self.chance.randint(1, 500))}
        sender, receiver = self.chance.sample(self.wallets, 2)
        sides = {"sender_wallet_id": sender, "receiver_wallet_id": receiver}
        plans: list[Plan] = [
            ("/payments", sides | amount),
            ("/payments", sides | amount | {"capture": False}),
            ("/payments", sides | {"amount": "999999.00"}),
            ("/topups", amount | {"wallet_id": sender}),
            ("/spends", amount | {"wallet_id": sender}),
        ]
        if self.holds:
            hold, verb = self.chance.choice(self.holds), self.chance.choice(["capture", "void", "refund"])
            plans.append((f"/payments/{hold}/{verb}", {}))
        self.plan = self.chance.choice(plans)

    def send_all(self, started: Arena, number: int, progress: Progress) -> None:
        caller = started.caller()
        for place, key in enumerate(self.keys):
            self.barrier.wait()
            path, body = self.plan
            reply: Reply = caller.until_final("POST", path, json.dumps(body).encode(), key=key)
            self.answers[place].add((reply.status, reply.body))
            self.replays[place] += reply.says("Idempotency-Replayed")
            if number == 0 and place % 100 == 0:
                progress(place)
        caller.close()

    def violations(self, started: Arena) -> list[str]:
        found = [
            f"key {key} was answered in {len(answers)} ways: {sorted(answers)}"[:500]
            for key, answers in zip(self.keys, self.answers, strict=True)
            if len(answers) != 1 or next(iter(answers))[0] not in (200, 201, 409, 422)
        ]
        # One is executed and answered, unless its answer was lost: then all sixteen are replays.
        found += [
            f"key {key}: {COPIES - replays} of {COPIES} answers are not replays"
            for key, replays in zip(self.keys, self.replays, strict=True)
            if replays < COPIES - 1
        ]
        effects = dict(
            started.rows(
                "SELECT idempotency_key, count(*) FROM payments WHERE idempotency_key = ANY(%s) GROUP BY 1", self.keys
            )
        )
        voids = {
            key
            for key, answers in zip(self.keys, self.answers, strict=True)
            if next(iter(answers))[0] == 200  # a void makes no payment
        }
        return found + [
            f"key {key} made {effects.get(key, 0)} payments"
            for key in self.keys
            if effects.get(key, 0) != (0 if key in voids else 1)
        ]
