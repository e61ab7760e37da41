"""
Every pair of verbs raced on one payment, expiry among them.

Both are sent at the same moment, and the history checker looks for an order in which they happened one
after the other: whichever it was, the second saw all that the first had done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import combinations_with_replacement
from random import Random
from typing import Any
from uuid import uuid4

import orjson

from tests.model.history import moment
from tests.model.history_checker import check
from tests.model.history_load import EXTENDED, Load, send
from tests.model.history_platform import Arena, Caller, arena, at_once
from tests.model.history_reading import Beginning

LANES = 8
WALLETS = 6
VERBS: dict[str, tuple[str, dict[str, Any]]] = {
    "capture": ("capture", {}),
    "capture in part": ("capture", {"amount": "6.00", "final": False}),
    "void": ("void", {}),
    "extend": ("extend", {"expires_in": EXTENDED}),
    "raise": ("reauthorize", {"amount": "14.00"}),
    "lower": ("reauthorize", {"amount": "5.00"}),
    "refund": ("refund", {}),
    "refund in part": ("refund", {"amount": "2.00"}),
    "reverse": ("reverse", {}),
}
EXPIRY = "expiry"
PAIRS = [*combinations_with_replacement(VERBS, 2), *((EXPIRY, verb) for verb in VERBS)]
# Money in one step, that is refunded and reversed, and holds of which nothing or a part was captured.
SETTINGS = ("hold", "hold captured in part", "transfer")
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        return run(started, count, seed, progress)


def run(started: Arena, count: int, seed: int, progress: Progress) -> list[str]:
    """Race ``count`` times, every pair in turn; return what no order explains."""
    wallets = [started.wallet("90000.00") for _ in range(WALLETS)]
    beginning = Beginning(started, wallets)
    load = Load(wallets, seed, 0, uuid4().hex[:8])
    Random(seed).shuffle(chosen := [PAIRS[number % len(PAIRS)] for number in range(count)])

    def lane(number: int) -> None:
        race = _Lane(started, load, Random(f"{seed}-{number}"), f"{load.name}-{number}")
        for place in range(number, count, LANES):
            race.run(*chosen[place])
            if place % 50 == 0:
                progress(place)

    with started.sweeping():
        at_once(LANES, lane)
    verdict = check(beginning.history(started, load.operations))
    print(f"{count} races of {len(PAIRS)} pairs, {verdict.steps} effects", flush=True)
    return [str(anomaly) for anomaly in verdict.anomalies] + started.faults_of_the_ledger()


class _Lane:
    """Two connections that race each other, on one payment after the other."""

    def __init__(self, started: Arena, load: Load, chance: Random, name: str) -> None:
        self.callers = started.caller(), started.caller()
        self.load = load
        self.chance = chance
        self.name = name
        self.sent = 0

    def run(self, one: str, other: str) -> None:
        expires = one == EXPIRY
        payment, ends = self._prepare("hold" if expires else self.chance.choice(SETTINGS), expires)
        if expires:
            time.sleep(max(ends - time.time() + self.chance.uniform(-0.015, 0.01), 0))
            self._send(self.callers[0], *VERBS[other], payment)
            return
        gate = threading.Barrier(2)

        def send_when_both_are_ready(caller: Caller, verb: str) -> None:
            gate.wait()
            self._send(caller, *VERBS[verb], payment)

        rival = threading.Thread(target=send_when_both_are_ready, args=(self.callers[1], other))
        rival.start()
        send_when_both_are_ready(self.callers[0], one)
        rival.join()
        self._send(self.callers[0], "read_payment", {}, payment)

    def _prepare(self, setting: str, expires: bool) -> tuple[str, float]:
        """Make the payment to race on; its id, and when it ends."""
        sender, receiver = self.chance.sample(self.load.wallets, 2)
        body: dict[str, Any] = {"sender_wallet_id": sender, "receiver_wallet_id": receiver, "amount": "10.00"}
        hold = {"capture": False} | ({"expires_in": 1} if expires else {})
        is_hold = setting != "transfer"
        verb, body = ("authorize", body | hold) if is_hold else ("transfer", body)
        made = orjson.loads(self._send(self.callers[0], verb, body, "").raw)
        if setting == "hold captured in part":
            self._send(self.callers[0], "capture", {"amount": "3.00", "final": False}, made["id"])
        return made["id"], moment(made["expires_at"]).timestamp() if is_hold else 0

    def _send(self, caller: Caller, verb: str, body: dict[str, Any], payment: str) -> Any:
        self.sent += 1
        id = f"{self.name}-{self.sent}-{threading.get_ident()}"
        operation = send(caller, self.load, verb, payment, body, "" if verb == "read_payment" else f"k-{id}", id)
        self.load.operations.append(operation)
        return operation
