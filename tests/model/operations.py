"""Random requests, most of them sensible: what clients would do, and what they should not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from tests.model.reference import Reference

AMOUNTS = {0: ["1", "2", "5", "7", "20"], 2: ["0.01", "1.00", "2.50", "5.00", "7.77", "20.00"]}
ODD = ["0.001", "999999999999999999", "1000", "12345678.9", "9999999999999999.99"]
VERBS = ["capture"] * 6 + ["void"] * 2 + ["extend", "reauthorize", "reauthorize"] + ["refund"] * 4 + ["reverse"]


class Chooser:
    """Chooses the next request for a world; ``recent`` payments are acted on more than old ones."""

    def __init__(
        self, seed: str, model: Reference, *, callers: Sequence[str], expiring: bool, staff: bool = False
    ) -> None:
        self.chance = random.Random(seed)
        self.model = model
        self.callers = list(callers)
        self.expiring = expiring
        self.staff = staff
        self.sent: list[dict[str, Any]] = []
        self.count = 0

    def next(self) -> dict[str, Any]:
        roll = self.chance.random()
        if self.sent and roll < 0.05:
            return self._again()
        if roll < 0.10:
            return self._bundle()
        if self.staff and roll < 0.13:
            return self._adjust()
        asked = self._act() if roll < 0.55 and self.model.payments else self._pay()
        self.sent = [*self.sent[-200:], asked]
        return asked

    def _again(self) -> dict[str, Any]:
        """An old request with its key: the same, or by mistake another."""
        asked = dict(self.chance.choice(self.sent))
        if self.chance.random() < 0.2 and "amount" in asked:
            asked["amount"] = "3"
        return asked

    def _common(self) -> dict[str, Any]:
        self.count += 1
        caller = self.chance.choices(self.callers, [8] + [1] * (len(self.callers) - 1))[0]
        return {"caller": caller, "key": f"k{self.count}"}

    def _pay(self) -> dict[str, Any]:
        kind = self.chance.choices(["transfer", "authorization", "topup", "bonus", "spend"], [30, 30, 15, 5, 10])[0]
        asked = self._common() | {"verb": "pay", "kind": kind}
        if kind in ("transfer", "authorization", "spend"):
            asked["sender"] = self._wallet()
        if kind in ("transfer", "authorization", "topup", "bonus"):
            asked["receiver"] = self._wallet()
        if kind in ("topup", "bonus", "spend") and asked["caller"].startswith("user:"):
            asked["caller"] = self.callers[0]
        if kind == "authorization":
            asked["expires_in"] = self.chance.choice([10, 60]) if self.expiring else 100000
        asked["amount"] = self._amount(asked.get("sender") or asked.get("receiver"))
        if kind in ("topup", "bonus") and len(asked["amount"]) > 12:
            asked["amount"] = "12345678"  # what fills the treasury up to its bound is no more the model's
        return asked

    def _adjust(self) -> dict[str, Any]:
        """What two people have approved: not always wisely."""
        systems = [(asset, kind) for asset in ("EUR", "GEM") for kind in ("treasury", "suspense")]
        sides: list[Any] = [self._wallet(), self.chance.choice(systems)]
        if self.chance.random() < 0.2:
            sides[0] = self.chance.choice(systems)
        elif self.chance.random() < 0.1:
            sides[1] = self._wallet()
        self.chance.shuffle(sides)
        asked = self._common() | {"caller": "staff", "verb": "adjust", "sender": sides[0], "receiver": sides[1]}
        alike = {"EUR": "ann", "GEM": "gems"}  # a wallet with the same decimals
        return asked | {"amount": self._amount(sides[0] if isinstance(sides[0], str) else alike[sides[0][0]])}

    def _wallet(self) -> str:
        names = list(self.model.wallets)
        return "nobody" if self.chance.random() < 0.01 else self.chance.choice(names)

    def _amount(self, wallet: Any) -> str:
        if self.chance.random() < 0.03:
            return self.chance.choice(ODD)
        scale = self.model.wallets[wallet]["scale"] if wallet in self.model.wallets else 2
        return self.chance.choice(AMOUNTS[scale])

    def _act(self, verb: str | None = None) -> dict[str, Any]:
        asked = self._common()
        if asked["caller"].startswith("user:"):
            asked["caller"] = self.callers[0]
        made = len(self.model.payments)
        number = max(0, made - 1 - int(self.chance.expovariate(1 / 12)))
        verb = verb or self.chance.choice(VERBS)
        holds = [payment["number"] for payment in self.model.payments[-60:] if payment["status"] == "AUTHORIZED"]
        if holds and verb in ("capture", "void", "extend", "reauthorize") and self.chance.random() < 0.5:
            number = self.chance.choice(holds)
        asked |= {"verb": verb, "payment": None if self.chance.random() < 0.01 else number}
        scale = self.model.payments[number]["scale"]
        if asked["verb"] == "reauthorize" or (asked["verb"] in ("capture", "refund") and self.chance.random() < 0.6):
            asked["amount"] = self.chance.choice(
                AMOUNTS[scale] + ODD[:2] if self.chance.random() < 0.05 else AMOUNTS[scale]
            )
        if asked["verb"] == "capture":
            asked["final"] = self.chance.random() < 0.5
        if asked["verb"] == "extend":
            asked["expires_in"] = self.chance.choice([5, 60, 120]) if self.expiring else 200000
        return asked

    def _bundle(self) -> dict[str, Any]:
        whole = self._common() | {"caller": self.callers[0]}
        if self.chance.random() < 0.5 and self.model.payments:
            verb = self.chance.choice(["captures", "voids"])
            numbers = {self._act("void")["payment"] for _ in range(self.chance.randint(1, 4))} - {None} or {0}
            items = [{"caller": whole["caller"], "verb": verb[:-1], "payment": number} for number in sorted(numbers)]
            return whole | {"verb": verb, "items": items, "atomic": True}
        items = [self._pay() | {"caller": whole["caller"]} for _ in range(self.chance.randint(1, 6))]
        atomic = self.chance.random() < 0.5
        for place, item in enumerate(items):
            if place and not atomic and self.chance.random() < 0.3:
                item["after"] = self.chance.randrange(place)
            if self.sent and self.chance.random() < 0.05:
                old = self.chance.choice(self.sent)
                if old["verb"] == "pay" and old["caller"] == whole["caller"]:
                    items[place] = dict(old)
        return whole | {"verb": "batch", "items": items, "atomic": atomic}
