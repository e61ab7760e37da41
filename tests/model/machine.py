"""
A Hypothesis state machine: the real server beside the reference model, and what may happen to either.

One client, so that each answer has one right value. Unlike ``over_http``, the platform's clock passes the
end of holds that no job has swept, old answers are asked for again byte by byte, and wallets are suspended.
Times are far enough apart (hours) that the seconds which the run itself takes decide nothing.
"""

from __future__ import annotations

import copy
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.model.comparing import differences
from tests.model.history_platform import Arena, Reply, arena
from tests.model.over_http import WALLETS, World
from tests.model.reference import DECLINED
from tests.model.reference_bundles import bundle

STEPS = 50
BETWEEN_CRASHES = 60
# Holds last an odd number of half steps, so the clock never stops near the end of one.
CLOCK_STEP, LIFETIMES = 10_000, [5_000, 15_000]
AMOUNTS = st.sampled_from(["0.01", "1.00", "2.50", "5.00", "20.00", "1000", "0.001"])
WALLET = st.integers(0, WALLETS - 1)
PAYMENT = st.integers(0, 11)
KINDS = st.sampled_from(["topup", "topup", "transfer", "authorization", "authorization", "bonus", "spend"])
VERBS = st.sampled_from(["capture", "capture", "capture", "void", "extend", "reauthorize", "refund", "reverse"])
CLIENT = "shop"
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    """Take ``count`` steps on a platform of its own; return what went otherwise than in the model."""
    with arena() as started:
        return run(started, count, seed, progress) + started.faults_of_the_ledger()


def run(started: Arena, count: int, seed: int, progress: Progress) -> list[str]:
    class Bound(Machine):
        arena = started
        taken = [0]
        shift = [0]
        crashed = [0]
        told = staticmethod(progress)

    # Faults fall where they fall, so there is nothing to shrink: the first example that fails is the report.
    quiet = settings(
        max_examples=max(1, count // STEPS), stateful_step_count=STEPS, deadline=None, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    # Hypothesis ends many examples early: go on until as many requests were sent as were asked for.
    while Bound.taken[0] < count:
        before = Bound.taken[0]
        try:
            run_state_machine_as_test(seeded(seed + before)(Bound), settings=quiet)
        except (AssertionError, Flaky) as error:
            return [str(error)]
        if Bound.taken[0] == before:
            return ["no request was sent"]
    return []


class Machine(RuleBasedStateMachine):
    arena: Arena
    taken: list[int]
    shift: list[int]
    crashed: list[int]
    told: Progress

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.arena, self.arena.caller(), "unused")
        self.model = self.world.model
        self.model.now = float(self.shift[0])
        self.number = 0
        self.kept: list[tuple[str, bytes, str, Reply]] = []
        self.crashing: threading.Timer | None = None

    @initialize()
    def fund(self) -> None:
        for wallet in range(3):
            self.ask(self.payment("topup", wallet, wallet, "100.00"))

    # ---- requests -------------------------------------------------------------------------------------

    @rule(kind=KINDS, sender=WALLET, receiver=WALLET, amount=AMOUNTS, lifetime=st.sampled_from(LIFETIMES))
    def pay(self, kind: str, sender: int, receiver: int, amount: str, lifetime: int) -> None:
        self.ask(self.payment(kind, sender, receiver, amount) | self.lifetime(kind, lifetime))

    @precondition(lambda self: self.model.payments)
    @rule(verb=VERBS, back=PAYMENT, amount=st.none() | AMOUNTS, final=st.booleans())
    def act(self, verb: str, back: int, amount: str | None, final: bool) -> None:
        self.ask(self.action(verb, back, amount, final))

    @precondition(lambda self: self.model.payments)
    @rule(verb=st.sampled_from(["captures", "voids"]), backs=st.sets(PAYMENT, min_size=1, max_size=4))
    def together(self, verb: str, backs: set[int]) -> None:
        numbers = sorted({self.recent(back) for back in backs})
        items = [{"caller": CLIENT, "verb": verb[:-1], "payment": number} for number in numbers]
        self.ask(self.common() | {"verb": verb, "items": items, "atomic": True})

    @rule(
        several=st.lists(st.tuples(KINDS, WALLET, WALLET, AMOUNTS), min_size=1, max_size=4),
        atomic=st.booleans(), linked=st.booleans(),
    )  # fmt: skip
    def batch(self, several: list[tuple[str, int, int, str]], atomic: bool, linked: bool) -> None:
        items = [self.payment(*one) | self.lifetime(one[0], LIFETIMES[0]) for one in several]
        for place, item in enumerate(items[1:] if linked and not atomic else []):
            item["after"] = place
        self.ask(self.common() | {"verb": "batch", "items": items, "atomic": atomic})

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 99))
    def replay(self, which: int) -> None:
        """The first answer comes again, byte by byte, whatever has become of the payment since."""
        path, body, key, first = self.kept[which % len(self.kept)]
        again = self.send(path, json.dumps(dict(reversed(json.loads(body).items())), indent=1).encode(), key)
        assert (again.status, again.body) == (first.status, first.body), (path, body, first, again)
        assert again.says("idempotency-replayed"), again

    @precondition(lambda self: self.kept)
    @rule(which=st.integers(0, 99))
    def reuse(self, which: int) -> None:
        """A used key does nothing for another request."""
        _, _, key, _ = self.kept[which % len(self.kept)]
        path, body = self.world._request(self.payment("topup", 0, 0, "333.33"))
        reply = self.send(path, json.dumps(body).encode(), key)
        assert (reply.status, json.loads(reply.body)["code"]) == (422, "idempotency_key_reused"), reply

    @precondition(lambda self: self.model.payments)
    @rule(verb=VERBS, back=PAYMENT, amount=st.none() | AMOUNTS)
    def try_and_act(self, verb: str, back: int, amount: str | None) -> None:
        """A dry run says what then happens, and keeps neither effect nor key."""
        asked = self.action(verb, back, amount, True)
        expected = copy.deepcopy(self.model).request(dict(asked))
        path, body = self.world._request(asked)
        reply = self.send(f"{path}?dry_run=true", json.dumps(body).encode(), self.world.keys + asked["key"])
        assert (reply.status, json.loads(reply.body).get("code")) == (expected["status"], expected["code"]), reply
        assert reply.says("dry-run"), reply
        self.ask(asked)

    @rule(which=WALLET, status=st.sampled_from(["ACTIVE", "SUSPENDED"]))
    def change(self, which: int, status: str) -> None:
        name = f"w{which}"
        if self.model.wallets[name]["status"] != status:
            if status == "ACTIVE":
                self.arena.unfreeze(self.world.wallets[name])
            else:
                self.set_status(self.world.wallets[name], status)
            self.model.wallets[name]["status"] = status

    @rule(which=WALLET)
    def look(self, which: int) -> None:
        """The wallet and its statement say what the model says, also right after a crash."""
        name = f"w{which}"
        assert self.world.differences(name) == []
        statement = json.loads(self.world.caller.until_final("GET", f"{self.wallet_path(name)}/statement").body)
        wallet = self.model.wallets[name]
        assert statement["closing_balance"] == f"{wallet['balance']:.2f}", (statement, wallet)
        assert [entry["seq"] for entry in statement["entries"]] == list(range(1, wallet["entries"] + 1)), statement

    # ---- what happens to the platform -----------------------------------------------------------------

    @rule()
    def flush(self) -> None:
        self.arena.flush_redis()

    @rule(server=st.sampled_from(["kill_a_worker", "kill_postgres"]), delay=st.floats(0, 0.03))
    def crash(self, server: str, delay: float) -> None:
        """Kill something soon, amid what is asked next. Not too often: a web server gives up on that."""
        if self.crashing is None and self.taken[0] >= self.crashed[0] + BETWEEN_CRASHES:
            self.crashed[0] = self.taken[0]
            self.crashing = threading.Timer(delay, getattr(self.arena, server))
            self.crashing.start()

    @rule(forward=st.booleans())
    def step_the_clock(self, forward: bool) -> None:
        """Hours forward, past the end of holds; or half a minute back, which must change nothing."""
        self.wait_for_the_crash()
        self.shift[0] += CLOCK_STEP if forward else 0
        self.model.now = float(self.shift[0])
        self.arena.set_clock(self.shift[0] - (0 if forward else 30))

    def teardown(self) -> None:
        self.wait_for_the_crash()
        found = self.world.differences()
        self.world.caller.close()
        assert found == []

    def wait_for_the_crash(self) -> None:
        if self.crashing is not None:
            self.crashing.join()
            time.sleep(1)

    # ---- how -------------------------------------------------------------------------------------------

    def common(self) -> dict[str, Any]:
        self.number += 1
        return {"caller": CLIENT, "key": f"k{self.number}"}

    def payment(self, kind: str, sender: int, receiver: int, amount: str) -> dict[str, Any]:
        asked = self.common() | {"verb": "pay", "kind": kind, "amount": amount}
        asked |= {"sender": f"w{sender}"} if kind in ("transfer", "authorization", "spend") else {}
        return asked | ({"receiver": f"w{receiver}"} if kind != "spend" else {})

    def lifetime(self, kind: str, seconds: int) -> dict[str, Any]:
        return {"expires_in": seconds} if kind == "authorization" else {}

    def action(self, verb: str, back: int, amount: str | None, final: bool) -> dict[str, Any]:
        asked = self.common() | {"verb": verb, "payment": self.recent(back)}
        if verb == "reauthorize" or (verb in ("capture", "refund") and amount is not None):
            asked["amount"] = amount or "2.50"
        # Always later than any before, by more than a clock that is half a minute back can hide.
        more = {"capture": {"final": final}, "extend": {"expires_in": 25_000 + 10_000 * self.number}}
        return asked | more.get(verb, {})

    def recent(self, back: int) -> int:
        """Mostly a hold or what has moved money; now and then any, also one that failed."""
        every = self.model.payments
        moved = [payment for payment in every if payment["status"] != "FAILED"]
        holds = [payment for payment in moved if payment["authorized"] is not None]
        among = (holds if back < 7 else moved if back < 10 else every) or every
        return int(among[max(0, len(among) - 1 - back % 3)]["number"])

    def ask(self, asked: dict[str, Any]) -> None:
        path, wanted = self.world._request(asked)
        body, key = json.dumps(wanted).encode(), self.world.keys + asked["key"]
        reply = self.send(path, body, key)
        expected = bundle(self.model, asked) if "items" in asked else self.model.request(asked)
        assert reply.status, f"{path} was never answered"
        found = differences(expected, reply.status, json.loads(reply.body), False, self.world.ids)
        assert found == [], f"{path} {wanted}: {found}"
        if expected["code"] is None or expected["code"] in DECLINED:
            self.kept.append((path, body, key, reply))

    def send(self, path: str, body: bytes, key: str) -> Reply:
        self.taken[0] += 1
        self.told(self.taken[0])
        return self.world.caller.until_final("POST", path, body, key=key)

    def wallet_path(self, name: str) -> str:
        return f"/wallets/{self.world.wallets[name]}"

    def set_status(self, wallet: str, status: str) -> None:
        """Change it; where the answer was lost with a server, look whether it was done."""
        body = json.dumps({"status": status, "reason": "a step"}).encode()
        head = {"Authorization": f"Bearer {self.world.caller.token}", "Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.arena.platform.port}/api/v1/wallets/{wallet}/status"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            request = urllib.request.Request(url, body, head | {"If-Match": "*"}, method="PATCH")
            try:
                urllib.request.urlopen(request, timeout=20).close()
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
            if json.loads(self.world.caller.until_final("GET", f"/wallets/{wallet}").body)["status"] == status:
                return
        raise AssertionError(f"wallet {wallet} never became {status}")
