"""Random clients over few wallets: what they send next, and the record of what came back."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from tests.model.history import READS, Operation, text
from tests.model.history_platform import Arena, Caller, at_once

WEIGHTS = {
    "transfer": 20, "authorize": 17, "capture": 15, "void": 5, "refund": 8, "reverse": 2, "spend": 4, "topup": 5,
    "extend": 2, "reauthorize": 4, "read_wallet": 13, "read_payment": 5,
}  # fmt: skip
TWINS = 0.1
# Longer than any hold lasts by itself, so that no extension comes out shorter.
EXTENDED = 8 * 24 * 3600


@dataclass(slots=True)
class Load:
    """
    Clients' common knowledge: payments to act upon, requests just sent, and how much is still to be done.

    ``short`` is the part of holds that last a second or two, so that expiry takes part.
    """

    wallets: list[str]
    seed: int
    count: int
    name: str
    short: float = 0.2
    operations: list[Operation] = field(default_factory=list)
    holds: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    paid: deque[str] = field(default_factory=lambda: deque(maxlen=60))
    sent: deque[tuple[str, str, dict[str, Any], str]] = field(default_factory=lambda: deque(maxlen=12))
    lock: threading.Lock = field(default_factory=threading.Lock)
    numbers: int = 0

    def run(self, arena: Arena, *, threads: int, progress: Callable[[int], None] | None = None) -> None:
        """Send ``count`` operations from ``threads`` connections; all are answered when it returns."""

        def client(number: int) -> None:
            chance, caller = Random(f"{self.seed}-{number}"), arena.caller()
            while (place := self._take()) < self.count:
                self.operations.append(send(caller, *self._next(chance, f"{self.name}-{place}")))
                if progress and place % 500 == 0:
                    progress(place)
            caller.close()

        at_once(threads, client)

    def _take(self) -> int:
        with self.lock:
            self.numbers += 1
            return self.numbers - 1

    def _next(self, chance: Random, id: str) -> tuple[Load, str, str, dict[str, Any], str, str]:
        if self.sent and chance.random() < TWINS:
            verb, subject, body, key = chance.choice(list(self.sent))
            return self, verb, subject, body, key, id
        verb = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        known = {
            "read_wallet": self.wallets,
            "read_payment": [*self.holds, *self.paid],
            "refund": [*self.paid, *self.holds],
            "reverse": self.paid,
        }.get(verb, self.holds)
        if verb not in ("transfer", "authorize", "spend", "topup") and not known:
            verb = "transfer"
        subject = (
            chance.choice(list(known)) if known and verb not in ("transfer", "authorize", "spend", "topup") else ""
        )
        body, key = self._body(chance, verb), "" if verb in READS else f"k-{id}"
        if key:
            self.sent.append((verb, subject, body, key))
        return self, verb, subject, body, key, id

    def _body(self, chance: Random, verb: str) -> dict[str, Any]:
        amount = {"amount": text(chance.randint(1, 6000))}
        if verb in ("transfer", "authorize"):
            sender, receiver = chance.sample(self.wallets, 2)
            body = amount | {"sender_wallet_id": sender, "receiver_wallet_id": receiver}
            if verb == "authorize":
                body |= {"capture": False} | (
                    {"expires_in": 1 + chance.randint(0, 1)} if chance.random() < self.short else {}
                )
            return body
        if verb in ("topup", "spend"):
            return amount | {"wallet_id": chance.choice(self.wallets)}
        if verb == "capture":
            return (amount if chance.random() < 0.6 else {}) | ({"final": False} if chance.random() < 0.5 else {})
        if verb == "refund":
            return amount if chance.random() < 0.7 else {}
        return {"extend": {"expires_in": EXTENDED}, "reauthorize": amount}.get(verb, {})


PATHS = {
    "transfer": "/payments", "authorize": "/payments", "topup": "/topups", "spend": "/spends",
    "read_wallet": "/wallets/{}/balance", "read_payment": "/payments/{}",
}  # fmt: skip


def send(caller: Caller, load: Load, verb: str, subject: str, body: dict[str, Any], key: str, id: str) -> Operation:
    """Send an operation until its answer is final, and record it."""
    path = PATHS.get(verb, "/payments/{}/" + verb).format(subject)
    operation = Operation(id, verb, subject, body, key, time.monotonic())
    if verb in READS:
        reply = caller.call("GET", path)
        while not reply.is_final:
            operation.invoked = time.monotonic()  # a read that failed has said nothing
            reply = caller.call("GET", path)
    else:
        reply = caller.until_final("POST", path, orjson.dumps(body), key=key, request_id=id)
    if reply.is_final:
        operation.answered = time.monotonic()
        operation.status, operation.raw = reply.status, reply.body
    if reply.status == 201 and verb in ("authorize", "transfer", "topup", "spend"):
        made = str(orjson.loads(reply.body)["id"])
        (load.holds if verb == "authorize" else load.paid).append(made)
    return operation
