"""PostgreSQL killed again and again under random load: nothing acknowledged is lost, nothing happens twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random
from uuid import uuid4

from tests.model.history_checker import check
from tests.model.history_load import Load
from tests.model.history_platform import Arena, arena
from tests.model.history_reading import Beginning

WALLETS = 8
CLIENTS = 12
# What is answered at least between two kills; a server that nobody uses is killed in vain.
BETWEEN = 20
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        return run(started, count, seed, progress)


def run(started: Arena, count: int, seed: int, progress: Progress) -> list[str]:
    """Kill the server ``count`` times; return what the clients saw that no serial execution explains."""
    wallets = [started.wallet("500.00") for _ in range(WALLETS)]
    beginning = Beginning(started, wallets)
    load = Load(wallets, seed, 10**9, uuid4().hex[:8])
    failed: list[Exception] = []

    def kill() -> None:
        chance = Random(seed)
        try:
            for number in range(count):
                answered, deadline = len(load.operations), time.monotonic() + 15
                while len(load.operations) < answered + BETWEEN and time.monotonic() < deadline:
                    time.sleep(0.02)
                time.sleep(chance.uniform(0, 0.3))
                started.kill_postgres()
                progress(number + 1)
        except Exception as error:  # noqa: BLE001 (raised where it is waited for)
            failed.append(error)
        finally:
            load.count = 0

    killing = threading.Thread(target=kill)
    killing.start()
    load.run(started, threads=CLIENTS)
    killing.join()
    if failed:
        raise failed[0]
    verdict = check(beginning.history(started, load.operations))
    print(f"{count} kills under {len(load.operations)} operations, {verdict.steps} effects", flush=True)
    found = [str(anomaly) for anomaly in verdict.anomalies] + started.faults_of_the_ledger()
    if len(load.operations) < count * BETWEEN / 2:
        found.append(f"that was no load: {len(load.operations)} operations during {count} kills")
    return found
