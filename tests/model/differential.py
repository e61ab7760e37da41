"""
``decide`` in memory against the reference model, by the hundred thousand: answers, balances, holds, states.

Each world is young: after ``WORLD`` requests another begins, so that no memory fills up.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count as counter
from multiprocessing import get_context
from typing import Any
from uuid import UUID

import orjson

from ledger.accounts import AccountState
from ledger.idempotency import StoredOutcome
from payments import commands as c
from payments.bundles import Batch, Bundle, decide_bundle
from payments.deciding import decide
from payments.state import Limits, Outcome, PaymentState, Plan, State, WalletState
from tests.model.comparing import Ids, differences
from tests.model.operations import Chooser
from tests.model.reference import Reference
from tests.model.reference_bundles import bundle
from walletplatform.identity.principal import Principal

WORLD = 400
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
CALLERS = ["shop", "user:ann", "only:EUR", "only:GEM"]
VERBS = {
    "capture": c.Capture, "void": c.Void, "extend": c.Extend, "reauthorize": c.Reauthorize, "refund": c.Refund,
    "reverse": c.Reverse,
}  # fmt: skip
ROW = (
    "id", "kind", "status", "asset", "amount", "sender_id", "receiver_id", "parent_id", "principal", "key",
    "request_id", "description", "metadata", "created_at", "effective_at", "authorized_amount", "expires_at",
)  # fmt: skip


def prove(count: int, seed: int, progress: Callable[[int], None], *, processes: int = 2) -> list[str]:
    """Decide ``count`` requests in worlds of their own; return how they differ from the model."""
    worlds = [(seed * 1_000_003 + number) for number in range(-(-count // WORLD))]
    if processes == 1:
        return [one for seed in worlds for one in play(seed)]
    found: list[str] = []
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        for done, differing in enumerate(pool.map(play, worlds, chunksize=16), start=1):
            found += differing
            progress(min(count, done * WORLD))
    return found


def play(seed: int) -> list[str]:
    """One world: the same requests to both, until they differ."""
    world = World(seed)
    for step in range(WORLD):
        asked = world.chooser.next()
        found = world.both(asked)
        if found:
            return [f"seed {seed}, request {step} {asked}: {one}" for one in found]
        if world.chance.random() < 0.05:
            world.pass_time()
    return []


class World:
    """A model and a state of the same wallets."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"time-{seed}")
        self.model = Reference()
        self.ids = Ids()
        numbers = counter(1)
        self.new_id = lambda: UUID(int=next(numbers))
        self.uuid: dict[str, UUID] = {}
        self.state = State(BEGINNING, {}, {}, {}, self.new_id)
        for name, asset, scale, owner, status in (
            ("ann", "EUR", 2, "user:ann", "ACTIVE"), ("bob", "EUR", 2, "user:bob", "ACTIVE"),
            ("cleo", "EUR", 2, "user:cleo", "ACTIVE"), ("gems", "GEM", 0, "user:ann", "ACTIVE"),
            ("more", "GEM", 0, "user:bob", "ACTIVE"), ("shut", "EUR", 2, "user:ann", "SUSPENDED"),
        ):  # fmt: skip
            self.model.open(name, asset=asset, scale=scale, owner=owner, status=status)
            self._open(name, asset, scale, "wallet", 0, status)
            self.state.wallets[self.uuid[name]] = WalletState(_principal(owner).id, status)
        for asset, scale in (("EUR", 2), ("GEM", 0)):
            for kind in ("treasury", "bonus", "revenue", "suspense"):
                self._open(f"{asset} {kind}", asset, scale, kind, None, "ACTIVE")
        self.chooser = Chooser(str(seed), self.model, callers=CALLERS, expiring=True, staff=True)
        for name, floor, per_payment, per_day in (
            ("ann", 0, 1500, 6000), ("bob", -1500, None, None), ("cleo", -500, None, 3000), ("more", -10, 15, 40),
        ):  # fmt: skip
            self._allow(name, floor, per_payment, per_day)

    def _open(self, name: str, asset: str, scale: int, kind: str, floor: int | None, status: str) -> None:
        id = self.uuid[name] = self.new_id()
        self.state.accounts[id] = AccountState(id, asset, scale, kind, 0, 0, floor, 0, status == "ACTIVE", None)

    def _allow(self, name: str, floor: int, per_payment: int | None, per_day: int | None) -> None:
        """Let a wallet be overdrawn, and limit it, in minor units; what it has spent by now stays."""
        wallet, id = self.model.wallets[name], self.uuid[name]
        wallet["floor"] = _units(floor, wallet["scale"])
        for limit, minor in (("per_payment", per_payment), ("per_day", per_day)):
            wallet[limit] = None if minor is None else _units(minor, wallet["scale"])
        self.state.accounts[id].min_available = floor
        spent = self.state.limits[id].spent if id in self.state.limits else {}
        self.state.limits[id] = Limits(per_payment, per_day, BEGINNING.date(), spent)

    def pass_time(self) -> None:
        """Let time go, now and then back; suspend, activate or limit a wallet; sweep what is overdue."""
        seconds = 40_000 if self.chance.random() < 0.05 else self.chance.choice([1, 5, 9, 10, 11, 60, -3])
        self.model.now += seconds
        self.state.now += timedelta(seconds=seconds)
        if self.chance.random() < 0.3:
            name = self.chance.choice(list(self.model.wallets))
            status = self.chance.choice(["ACTIVE", "ACTIVE", "SUSPENDED"])
            self.model.wallets[name]["status"] = status
            self.state.accounts[self.uuid[name]].open = status == "ACTIVE"
            owner = self.state.wallets[self.uuid[name]].user_id
            self.state.wallets[self.uuid[name]] = WalletState(owner, status)
        if self.chance.random() < 0.3:
            day = self.chance.choice([2000, 6000, 20_000])
            self._allow("ann", 0, self.chance.choice([500, 1500, None]), day)
        if self.chance.random() < 0.5:
            self.model.sweep()
            held = [payment.id for payment in self.state.payments.values() if payment.status == "AUTHORIZED"]
            asked = {"caller": "shop", "key": ""}
            self._decide([self._act(c.Expire, asked, payment, keeps_key=False) for payment in held])

    def both(self, asked: dict[str, Any]) -> list[str]:
        """Ask both; return how their answers, and then their worlds, differ."""
        if "items" in asked:
            outcome = self._bundle(asked)
            expected = bundle(self.model, asked)
        else:
            [outcome] = self._decide([self._command(asked)])
            expected = self.model.request(asked)
        found = differences(expected, outcome.status, orjson.loads(outcome.body), outcome.replayed, self.ids)
        return found or self._state_differences()

    def _state_differences(self) -> list[str]:
        found = []
        for name, wallet in self.model.wallets.items():
            account = self.state.accounts[self.uuid[name]]
            scale = wallet["scale"]
            told = (_units(account.balance, scale), _units(account.held, scale), account.seq)
            wanted = (wallet["balance"], wallet["held"], wallet["entries"])
            if told != wanted:
                found.append(f"{name} has {told}, expected {wanted}")
        if len(self.state.payments) != len(self.model.payments):
            found.append(f"{len(self.state.payments)} payments, expected {len(self.model.payments)}")
        for payment in self.model.payments[-8:]:
            shown = self.state.payments[UUID(self.ids.by_number[payment["number"]])]
            if (
                shown.status != payment["status"]
                or _units(shown.captured_amount, payment["scale"]) != payment["captured"]
            ):
                found.append(f"payment {payment['number']} is {shown}, expected {payment}")
        return found

    def _decide(self, asked: list[c.Command]) -> list[Outcome]:
        outcomes, plan = decide(self.state, asked)
        self._keep(plan)
        return outcomes

    def _bundle(self, asked: dict[str, Any]) -> Outcome:
        kind = Batch if asked["verb"] == "batch" else Bundle
        single = asked["verb"] != "batch"
        commands = [
            self._command(item | ({"key": asked["key"]} if single else {}), keeps_key=not single)
            for item in asked["items"]
        ]
        wanted = kind(
            **_common(asked, str(asked["items"]) + str(asked["atomic"]) + asked["verb"]), commands=commands,
            after=[item.get("after") for item in asked["items"]], atomic=asked["atomic"], pointer="/x",
            status=201 if asked["verb"] == "captures" else 200,
        )  # fmt: skip
        before = _copy(self.state)
        (outcome, _), plan = decide_bundle(self.state, wanted)
        if outcome.status >= 400:
            self.state = before  # what was not written did not happen
        self._keep(plan)
        return outcome

    def _keep(self, plan: Plan) -> None:
        """Let the state be as if the plan had been written and read again."""
        for row in plan.payments:
            fields = dict(zip(ROW, row, strict=True))
            del fields["principal"], fields["key"]
            self.state.payments.setdefault(fields["id"], PaymentState(**fields))
        for principal, key, fingerprint, status, body, _, _ in plan.keys:
            self.state.keys[principal, key] = StoredOutcome(fingerprint, status, body)

    def _command(self, asked: dict[str, Any], *, keeps_key: bool = True) -> c.Command:
        if asked["verb"] == "adjust":
            sides = {f"{side}_id": self._account(asked[side]) for side in ("sender", "receiver")}
            amount = Decimal(asked["amount"])
            return c.Adjust(**_common(asked, _meaning(asked)), **sides, amount=amount, reason="", metadata={})
        if asked["verb"] == "pay":
            fields = _common(asked, _meaning(asked)) | {"keeps_key": keeps_key}
            return c.Move(
                **fields, kind=asked["kind"], sender_id=self._wallet(asked.get("sender")),
                receiver_id=self._wallet(asked.get("receiver")), amount=Decimal(asked["amount"]), description="",
                metadata={}, expires_in=asked.get("expires_in", 0),
            )  # fmt: skip
        number = asked["payment"]
        id = UUID(int=0) if number is None else UUID(self.ids.by_number.get(number, str(UUID(int=0))))
        more = {name: asked[name] for name in ("final", "expires_in") if name in asked}
        if asked.get("amount") is not None:
            more["amount"] = Decimal(asked["amount"])
        return self._act(VERBS[asked["verb"]], asked, id, keeps_key=keeps_key, **more)

    def _act(self, verb: type[c.Act], asked: dict[str, Any], payment: UUID, **more: Any) -> c.Act:
        return verb(**_common(asked, _meaning(asked)), payment_id=payment, **more)

    def _account(self, side: Any) -> UUID:
        return self.uuid.get(side if isinstance(side, str) else " ".join(side), UUID(int=0))

    def _wallet(self, name: str | None) -> UUID | None:
        return None if name is None else self.uuid.get(name, UUID(int=0))


def _copy(state: State) -> State:
    from dataclasses import replace

    return replace(
        state,
        accounts={id: replace(account) for id, account in state.accounts.items()},
        payments={id: replace(payment) for id, payment in state.payments.items()},
        limits={id: replace(limits, spent=dict(limits.spent)) for id, limits in state.limits.items()},
        keys=dict(state.keys),
    )


def _meaning(asked: dict[str, Any]) -> str:
    return str(sorted((name, str(value)) for name, value in asked.items() if name not in ("key", "after")))


def _common(asked: dict[str, Any], meaning: str) -> dict[str, Any]:
    return {
        "principal": _principal(asked["caller"]), "key": asked["key"],
        "fingerprint": hashlib.sha256(meaning.encode()).digest(), "request_id": "model", "traceparent": "",
    }  # fmt: skip


_PRINCIPALS: dict[str, Principal] = {}


def _principal(caller: str) -> Principal:
    if caller not in _PRINCIPALS:
        _PRINCIPALS[caller] = Principal(
            id=UUID(bytes=hashlib.sha256(caller.encode()).digest()[:16]),
            kind="user" if caller.startswith("user:") else "staff" if caller == "staff" else "client",
            scopes=frozenset(),
            assets=frozenset({caller[5:]}) if caller.startswith("only:") else None,
        )
    return _PRINCIPALS[caller]


def _units(minor: int, scale: int) -> Decimal:
    return Decimal(minor).scaleb(-scale)
