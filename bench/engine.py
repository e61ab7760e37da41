"""
The engine without HTTP: batches from one process or several, single payments through group commit, holds.

Each measurement runs in processes of its own, which are told on stdin what to do and print what they did.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from payments.commands import Move

SECONDS_LIMIT = 20


def batches(wallets: list[UUID], *, batch: int, processes: int, payments: int) -> dict[str, float]:
    """Batches of ``batch``, ``payments`` in all."""
    return _measure({"mode": "batches", "batch": batch, "payments": payments // processes}, wallets, processes)


def singles(wallets: list[UUID], *, hot: bool, seconds: float) -> dict[str, float]:
    """Single payments from 64 threads of two processes, through group commit as in the web."""
    return _measure({"mode": "singles", "threads": 32, "hot": hot, "seconds": seconds}, wallets, 2)


def holds(wallets: list[UUID], *, payments: int) -> dict[str, float]:
    """Authorizations, each captured, in batches of 100: ``per_second`` counts the pair as one."""
    return _measure({"mode": "holds", "batch": 100, "payments": payments}, wallets, 1)


def _measure(work: dict[str, Any], wallets: list[UUID], processes: int) -> dict[str, float]:
    """Return payments a second of all processes, percentiles of a call, and CPU microseconds a payment."""
    told = json.dumps(work | {"wallets": [str(wallet) for wallet in wallets]}) + "\n"
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "bench.engine"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(processes)
    ]  # fmt: skip
    for worker in workers:
        _tell(worker, told)
    for worker in workers:
        _hear(worker)
    start = time.perf_counter()
    for worker in workers:
        _tell(worker, "go\n")
    done = [json.loads(_hear(worker)) for worker in workers]
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.communicate()
    paid = sum(result["payments"] for result in done)
    return {
        "per_second": paid / seconds,
        "p50_ms": max(result["p50_ms"] for result in done),
        "p99_ms": max(result["p99_ms"] for result in done),
        "cpu_us": sum(result["cpu"] for result in done) / paid * 1e6,
    }


def _tell(worker: subprocess.Popen[str], line: str) -> None:
    assert worker.stdin
    worker.stdin.write(line)
    worker.stdin.flush()


def _hear(worker: subprocess.Popen[str]) -> str:
    assert worker.stdout
    line: str = worker.stdout.readline()
    return line


def _worker() -> None:
    work = json.loads(sys.stdin.readline())
    import django

    django.setup()
    from django.conf import settings

    from bench.world import DATABASE

    settings.DATABASES["default"]["NAME"] = DATABASE
    wallets = [UUID(wallet) for wallet in work["wallets"]]
    run = {"batches": _batches, "singles": _singles, "holds": _holds}[work["mode"]](work, wallets)
    run(warm=True)
    print("ready", flush=True)
    sys.stdin.readline()
    cpu = time.process_time()
    paid, times = run(warm=False)
    times.sort()
    print(
        json.dumps(
            {
                "payments": paid,
                "cpu": time.process_time() - cpu,
                "p50_ms": times[len(times) // 2] * 1000,
                "p99_ms": times[int(len(times) * 0.99)] * 1000,
            }
        )
    )


Run = Callable[..., tuple[int, list[float]]]


def _repeated(work: dict[str, Any], one: Callable[[random.Random], None]) -> Run:
    """Do ``one`` batch over and over, until the payments are made or the time is up."""
    chance = random.Random(os.getpid())

    def run(*, warm: bool) -> tuple[int, list[float]]:
        times: list[float] = []
        end = time.perf_counter() + SECONDS_LIMIT
        while not times or (not warm and len(times) * work["batch"] < work["payments"] and time.perf_counter() < end):
            start = time.perf_counter()
            one(chance)
            times.append(time.perf_counter() - start)
        return len(times) * work["batch"], times

    return run


def _move(chance: random.Random, wallets: list[UUID], *, kind: str = "transfer") -> Move:
    from bench.world import move

    sender, receiver = chance.sample(wallets, 2)
    return move(sender, receiver, "0.01", kind=kind)


def _batches(work: dict[str, Any], wallets: list[UUID]) -> Run:
    from payments.engine import execute

    def one(chance: random.Random) -> None:
        outcomes = execute([_move(chance, wallets) for _ in range(work["batch"])])
        assert all(outcome.code == "settled" for outcome in outcomes), outcomes[0]

    return _repeated(work, one)


def _holds(work: dict[str, Any], wallets: list[UUID]) -> Run:
    import orjson

    from bench.world import capture
    from payments.engine import execute

    def one(chance: random.Random) -> None:
        asked = [_move(chance, wallets, kind="authorization") for _ in range(work["batch"])]
        held = [UUID(orjson.loads(outcome.body)["id"]) for outcome in execute(asked)]
        outcomes = execute([capture(payment) for payment in held])
        assert all(outcome.code == "settled" for outcome in outcomes), outcomes[0]

    return _repeated(work, one)


def _singles(work: dict[str, Any], wallets: list[UUID]) -> Run:
    from bench.world import move
    from payments.grouping import submit

    def pay(until: float, times: list[float]) -> None:
        chance = random.Random()
        while time.perf_counter() < until:
            sender, receiver = chance.sample(wallets[1:], 2)
            start = time.perf_counter()
            outcome = submit(move(wallets[0] if work["hot"] else sender, receiver, "0.01"))
            assert outcome.code == "settled", outcome
            times.append(time.perf_counter() - start)

    def run(*, warm: bool) -> tuple[int, list[float]]:
        times: list[float] = []
        until = time.perf_counter() + (0.5 if warm else work["seconds"])
        threads = [threading.Thread(target=pay, args=(until, times)) for _ in range(work["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(times), times

    return run


if __name__ == "__main__":
    _worker()
