"""The engine without HTTP: batches from one process or several."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from uuid import UUID

SECONDS_LIMIT = 20


def rate(wallets: list[UUID], *, batch: int, processes: int, payments: int) -> dict[str, float]:
    """Return payments a second of ``processes`` that post ``payments`` in all, and their CPU seconds."""
    each = payments // processes
    work = json.dumps({"wallets": [str(wallet) for wallet in wallets], "batch": batch, "payments": each})
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.engine"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(processes)
    ]
    for worker in workers:
        assert worker.stdin
        worker.stdin.write(work + "\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.stdout
        worker.stdout.readline()
    start = time.perf_counter()
    done = []
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        assert worker.stdout
        done.append(json.loads(worker.stdout.readline()))
    seconds = time.perf_counter() - start
    for worker in workers:
        worker.communicate()
    return {
        "per_second": sum(result["payments"] for result in done) / seconds,
        "p50_ms": max(result["p50_ms"] for result in done),
        "p99_ms": max(result["p99_ms"] for result in done),
        "cpu_us": sum(result["cpu"] for result in done) / sum(r["payments"] for r in done) * 1e6,
    }


def _worker() -> None:
    work = json.loads(sys.stdin.readline())
    import django

    django.setup()
    from django.conf import settings

    from bench.world import DATABASE, move
    from payments.engine import execute

    settings.DATABASES["default"]["NAME"] = DATABASE
    chance = random.Random(os.getpid())
    wallets = [UUID(wallet) for wallet in work["wallets"]]

    def one() -> list[float]:
        sides = [chance.sample(wallets, 2) for _ in range(work["batch"])]
        commands = [move(sender, receiver, "0.01") for sender, receiver in sides]
        start = time.perf_counter()
        outcomes = execute(commands)
        assert all(outcome.code == "settled" for outcome in outcomes), outcomes[0]
        return [time.perf_counter() - start]

    one()
    print("ready", flush=True)
    sys.stdin.readline()
    times: list[float] = []
    cpu, end = time.process_time(), time.perf_counter() + SECONDS_LIMIT
    while len(times) * work["batch"] < work["payments"] and time.perf_counter() < end:
        times += one()
    times.sort()
    print(
        json.dumps(
            {
                "payments": len(times) * work["batch"],
                "cpu": time.process_time() - cpu,
                "p50_ms": times[len(times) // 2] * 1000,
                "p99_ms": times[int(len(times) * 0.99)] * 1000,
            }
        )
    )


if __name__ == "__main__":
    _worker()
