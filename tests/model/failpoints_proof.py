"""
Every fail point x every money endpoint: the web server dies there, and the same request is sent again.

What the ledger must look like afterwards is known from the same request on a server that did not die.
``python -m tests.model.failpoints_proof`` runs it by itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

import psutil

from tests.model.failpoints_endpoints import ENDPOINTS, Scene, forgotten, scene, state
from tests.model.history_platform import Arena, Reply, arena
from walletplatform.embedded.data_dir import _free_port
from walletplatform.embedded.supervisor import ROOT, platform
from walletplatform.failpoints import MONEY

# From here on the payment stands, whether or not anybody was told.
DURABLE = frozenset({"money.committed", "money.answered"})
AT_ONCE = 2
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    """Try ``count`` pairs of a fail point and an endpoint, each once; ``seed`` has nothing to choose."""
    with arena() as started:
        return run(started, pairs()[:count], progress)


def pairs() -> list[tuple[str, str]]:
    """All pairs, in such an order that the first few have each fail point and as many endpoints."""
    endpoints = list(ENDPOINTS)
    shifted = [(n + n // len(MONEY)) % len(endpoints) for n in range(len(MONEY) * len(endpoints))]
    return [(MONEY[n % len(MONEY)], endpoints[place]) for n, place in enumerate(shifted)]


def run(started: Arena, cases: Sequence[tuple[str, str]], progress: Progress) -> list[str]:
    found = [f"no fail point was tried at {route}" for route in sorted(forgotten())]
    right = {endpoint: _undisturbed(started, endpoint) for endpoint in {endpoint for _, endpoint in cases}}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        trying = pool.map(lambda case: list(_violations(started, *case, right[case[1]])), cases)
        for number, violations in enumerate(trying, start=1):
            found += violations
            progress(number)
    return found + started.faults_of_the_ledger()


def _send(made: Scene, key: str, *, port: int = 0) -> Reply:
    caller = made.arena.caller(port)
    body = json.dumps(made.body).encode()
    if port:
        return caller.call("POST", made.path, body, key=key)
    return caller.until_final("POST", made.path, body, key=key)


def _undisturbed(started: Arena, endpoint: str) -> tuple[int, tuple[Any, ...]]:
    """The status and the state that a request leads to when nothing dies."""
    made = scene(started, endpoint)
    return _send(made, uuid4().hex).status, state(made)


def _violations(started: Arena, name: str, endpoint: str, right: tuple[int, tuple[Any, ...]]) -> Iterator[str]:
    case, (status, expected), key = f"{name} x {endpoint}", right, uuid4().hex
    made = scene(started, endpoint)
    before = state(made)
    if before == expected:
        yield f"{case}: proves nothing, the request has no effect"
    with _doomed(started, name) as (port, process):
        first = _send(made, key, port=port)
        if not _has_died(process):
            yield f"{case}: the server lived on and answered {first}"
    if first.status:
        yield f"{case}: answered {first} before it died"
    if state(made) != (expected if name in DURABLE else before):
        yield f"{case}: after the death {state(made)}"
    second = _send(made, key)
    if second.status != status or second.says("Idempotency-Replayed") != (name in DURABLE):
        yield f"{case}: the second request was answered {second}"
    if state(made) != expected:
        yield f"{case}: after the second request {state(made)}, where {expected} is right"
    third = _send(made, key)
    if (third.status, third.body) != (second.status, second.body) or state(made) != expected:
        yield f"{case}: the third request was answered {third}"


@contextmanager
def _doomed(started: Arena, name: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a web server of one worker that dies at ``name``, and stays dead."""
    port = _free_port()
    command = [word for word in platform(port)[0].command if word != "--respawn-failed-workers"]
    command[command.index("--workers") + 1] = "1"
    process = subprocess.Popen(
        command, cwd=ROOT, env=started.platform.env | {"FAIL_POINT": name},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        caller, deadline = started.caller(port), time.monotonic() + 30
        while caller.call("GET", "/assets").status != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        yield port, process
    finally:
        for child in _family(process):
            with suppress(psutil.Error):
                child.kill()
        process.wait(10)


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with suppress(psutil.Error):
        parent = psutil.Process(process.pid)
        return [*parent.children(recursive=True), parent]
    return []


def _has_died(process: subprocess.Popen[bytes]) -> bool:
    """Whether the server ends: without its worker there is nothing left of it."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(10)
        return True
    return False


if __name__ == "__main__":
    began = time.monotonic()
    tried = len(pairs())
    found = prove(tried, 0, lambda done: print(f"\r{done}", end="", file=sys.stderr, flush=True))
    print("\n".join([*found[:20], f"{tried} deaths, {len(found)} violations, {time.monotonic() - began:.0f} s"]))
    sys.exit(bool(found))
