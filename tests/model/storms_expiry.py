"""
Expiry against capture: each hold is captured in the moment in which it ends, while holds are being swept.

Exactly one may win, and the database's clock says which.
"""

from __future__ import annotations

import heapq
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

from tests.model.history import moment
from tests.model.history_platform import Arena, Caller, Reply, arena, at_once

THREADS = 16
WALLETS = 6
# Holds that wait for their end at the same time; how far around it they are captured (seconds).
OPEN = 250
SPREAD = 0.01
# How much earlier the next one is sent where a capture came too late, or later where it came in time:
# so that it is close, however busy the machine is.
STEP = 0.004
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        return run(started, count, seed, progress)


def run(started: Arena, count: int, seed: int, progress: Progress) -> list[str]:
    """Race ``count`` holds; return those that ended twice, never, or otherwise than by the clock."""
    races = _Races(count, seed, [started.wallet("90000.00") for _ in range(WALLETS)])
    with started.sweeping():
        at_once(THREADS, lambda number: races.run(started.caller(), Random(f"{seed}-{number}"), progress))
        _wait_for_the_sweep(started, list(races.answers))
    return races.violations(started) + started.faults_of_the_ledger()


def _wait_for_the_sweep(started: Arena, holds: list[str]) -> None:
    """What nobody captured is swept soon."""
    waiting = "SELECT count(*) FROM payments WHERE id = ANY(%s::uuid[]) AND status = 'AUTHORIZED'"
    deadline = time.monotonic() + 20
    while started.rows(waiting, holds) != [(0,)] and time.monotonic() < deadline:
        time.sleep(0.2)


@dataclass(slots=True)
class _Races:
    count: int
    seed: int
    wallets: list[str]
    begun: int = 0
    lead: float = 0.02
    due: list[tuple[float, str]] = field(default_factory=list)
    answers: dict[str, Reply] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, caller: Caller, chance: Random, progress: Progress) -> None:
        """Make holds, and capture those whose time has come, until all are done."""
        while True:
            with self.lock:
                if self.due and self.due[0][0] - self.lead <= time.time():
                    hold = heapq.heappop(self.due)[1]
                elif self.begun < self.count and len(self.due) < OPEN:
                    self.begun, hold = self.begun + 1, ""
                elif self.due or len(self.answers) < self.count:
                    hold = None
                else:
                    return
            if hold is None:
                time.sleep(0.001)
            elif hold:
                self._capture(caller, hold)
                if len(self.answers) % 200 == 0:
                    progress(len(self.answers))
            else:
                self._hold(caller, chance)

    def _hold(self, caller: Caller, chance: Random) -> None:
        sender, receiver = chance.sample(self.wallets, 2)
        body = {"sender_wallet_id": sender, "receiver_wallet_id": receiver, "amount": "1.37", "capture": False}
        sent = json.dumps(body | {"expires_in": 1}).encode()
        reply = caller.until_final("POST", "/payments", sent, key=uuid4().hex)
        made = json.loads(reply.body)
        ends = moment(made["expires_at"]).timestamp()
        with self.lock:
            heapq.heappush(self.due, (ends + chance.uniform(-SPREAD, SPREAD), made["id"]))

    def _capture(self, caller: Caller, hold: str) -> None:
        reply = caller.until_final("POST", f"/payments/{hold}/capture", b"{}", key=uuid4().hex)
        with self.lock:
            self.answers[hold] = reply
            self.lead += STEP if reply.status == 409 else -STEP

    def violations(self, started: Arena) -> list[str]:
        rows = started.rows(
            "SELECT p.id::text, p.status, p.captured_amount, p.expires_at,"
            "       array_agg(c.created_at) FILTER (WHERE c.status = 'SETTLED'),"
            "       (SELECT count(*) FROM outbox_events o WHERE o.subject = p.id"
            "         AND o.type IN ('payment.captured', 'payment.expired', 'payment.voided'))"
            "  FROM payments p LEFT JOIN payments c ON c.parent_id = p.id AND c.kind = 'capture'"
            " WHERE p.id = ANY(%s::uuid[]) GROUP BY p.id",
            list(self.answers),
        )
        found, ended = [], Counter(row[1] for row in rows)
        for id, status, captured, expires_at, captures, told in rows:
            reply = self.answers[id]
            if reply.status == 201:
                right = (status, captured, told) == ("SETTLED", 137, 1) and len(captures or []) == 1
                right = right and captures[0] < expires_at
            else:
                right = (status, captured, captures, told) == ("EXPIRED", 0, None, 1)
                right = right and reply.status == 409 and json.loads(reply.body).get("current_state") == "EXPIRED"
            if not right:
                found.append(f"hold {id} ended {status} with {captured}, {captures}, told {told} times; {reply}"[:400])
        print(f"{len(rows)} races: " + ", ".join(f"{name} {times}" for name, times in ended.items()), flush=True)
        if min(ended["SETTLED"], ended["EXPIRED"]) < len(rows) / 10:
            found.append(f"these were no races: {dict(ended)}")
        return found
