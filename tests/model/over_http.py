"""
The real server against the reference model: random requests over HTTP, each answer compared as it comes.

Several clients, each with wallets of its own, so that each one's world is serial. Meanwhile workers and
PostgreSQL are killed, Redis is flushed, and the platform's clock is set forward and back. A client asks
again until its answer is final; its key makes that the same request.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

from tests.model.comparing import Ids, differences
from tests.model.history_faults import faults
from tests.model.history_platform import Arena, Caller, Reply, arena, at_once
from tests.model.operations import Chooser
from tests.model.reference import Reference
from tests.model.reference_bundles import bundle

CLIENTS = 8
WALLETS = 5
# A world grows slow in the model, not in the platform: so each client begins anew now and then.
WORLD = 800
FIRST = {"topup": "/topups", "bonus": "/bonuses", "spend": "/spends"}
NOBODY = str(uuid4())
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    """Send ``count`` requests with faults; return how the answers differ from the model."""
    with arena() as started:
        return run(started, count, seed, progress) + started.faults_of_the_ledger()


def run(started: Arena, count: int, seed: int, progress: Progress, *, disturbed: bool = True) -> list[str]:
    found: list[str] = []
    sent = [0] * CLIENTS

    def client(number: int) -> None:
        caller = started.caller()
        while sent[number] < count // CLIENTS and not found:
            world = World(started, caller, f"{seed}-{number}-{sent[number]}")
            for _ in range(min(WORLD, count // CLIENTS - sent[number])):
                found.extend(world.step())
                sent[number] += 1
                progress(sum(sent))
                if found:
                    break
            found.extend(world.differences())

    with faults(started, seed=seed, clock=True) if disturbed else nullcontext(Counter()) as done:
        at_once(CLIENTS, client)
    if done:
        print(", ".join(f"{name}: {times}" for name, times in done.items()), flush=True)
    return found


class World:
    """One client's wallets, on the platform and in the model."""

    def __init__(self, started: Arena, caller: Caller, seed: str) -> None:
        self.caller = caller
        self.ids = Ids()
        self.model = Reference()
        self.wallets = {f"w{number}": started.wallet() for number in range(WALLETS)}
        for name in self.wallets:
            self.model.open(name, asset="EUR", scale=2, owner="nobody")
        self.chooser = Chooser(seed, self.model, callers=["shop"], expiring=False)
        self.keys = uuid4().hex
        self.chance = Random(seed)

    def step(self) -> list[str]:
        """Send one request and compare its answer; now and then look at a wallet and at a payment as well."""
        asked = self.chooser.next()
        path, body = self._request(asked)
        reply = self.caller.until_final("POST", path, json.dumps(body).encode(), key=self.keys + asked["key"])
        expected = bundle(self.model, asked) if "items" in asked else self.model.request(asked)
        found = self._compare(expected, reply)
        if not found and self.chance.random() < 0.1:
            found = self.differences(self.chance.choice(list(self.wallets)))
        return [f"{path} {body}: {one}" for one in found]

    def _compare(self, expected: dict[str, Any], reply: Reply) -> list[str]:
        if not reply.status:
            return ["never answered"]
        # What was asked again after a fault may well be a replay.
        replayed = reply.says("idempotency-replayed") and bool(expected.get("replayed"))
        return differences(expected, reply.status, json.loads(reply.body), replayed, self.ids)

    def differences(self, *names: str) -> list[str]:
        """How wallets (all of them, unless named) differ from the model's."""
        found = []
        for name in names or self.wallets:
            reply = self.caller.until_final("GET", f"/wallets/{self.wallets[name]}")
            told = tuple(Decimal(json.loads(reply.body)[part]) for part in ("balance", "held"))
            wanted = (self.model.wallets[name]["balance"], self.model.wallets[name]["held"])
            if told != wanted:
                found.append(f"wallet {name} has {told}, expected {wanted}")
        return found

    def _request(self, asked: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if asked["verb"] == "batch":
            items = [self._item(item) for item in asked["items"]]
            return "/payments/batch", {"mode": "atomic" if asked["atomic"] else "independent", "payments": items}
        if "items" in asked:
            return f"/payments/{asked['verb']}", {"payment_ids": [self._id(item["payment"]) for item in asked["items"]]}
        if asked["verb"] == "pay":
            return FIRST.get(asked["kind"], "/payments"), self._payment(asked)
        body = {name: asked[name] for name in ("amount", "final", "expires_in") if asked.get(name) is not None}
        return f"/payments/{self._id(asked['payment'])}/{asked['verb']}", body

    def _item(self, asked: dict[str, Any]) -> dict[str, Any]:
        kind = {"kind": asked["kind"]} if asked["kind"] in FIRST else {}
        after = {"after": asked["after"]} if "after" in asked else {}
        return self._payment(asked) | kind | after | {"idempotency_key": self.keys + asked["key"]}

    def _payment(self, asked: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {"amount": asked["amount"]}
        sides = {"sender": asked.get("sender"), "receiver": asked.get("receiver")}
        if asked["kind"] in FIRST:
            return body | {"wallet_id": self._wallet(sides["sender"] or sides["receiver"])}
        body |= {f"{side}_wallet_id": self._wallet(name) for side, name in sides.items()}
        if asked["kind"] == "authorization":
            body |= {"capture": False, "expires_in": asked["expires_in"]}
        return body

    def _wallet(self, name: str | None) -> str:
        return self.wallets.get(str(name), NOBODY)

    def _id(self, number: int | None) -> str:
        return NOBODY if number is None else self.ids.by_number[number]
