"""
The concurrent history: random clients on few wallets, while the platform is killed under them.

``python -m tests.model.history_proof [count] [seed]`` runs it by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from uuid import uuid4

from tests.model.history_checker import Verdict, check
from tests.model.history_faults import faults
from tests.model.history_load import Load
from tests.model.history_platform import Arena, arena
from tests.model.history_reading import Beginning

WALLETS = 8
CLIENTS = 16
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    """Run ``count`` operations with faults; return what no serial execution explains."""
    with arena() as started:
        return [str(anomaly) for anomaly in run(started, count, seed, progress).anomalies] + (
            started.faults_of_the_ledger()
        )


def run(started: Arena, count: int, seed: int, progress: Progress, *, disturbed: bool = True) -> Verdict:
    wallets = [started.wallet("500.00") for _ in range(WALLETS)]
    beginning = Beginning(started, wallets)
    load = Load(wallets, seed, count, uuid4().hex[:8])
    with started.sweeping():
        if disturbed:
            with faults(started, seed=seed) as done:
                load.run(started, threads=CLIENTS, progress=progress)
            print(", ".join(f"{name}: {times}" for name, times in done.items()), flush=True)
        else:
            load.run(started, threads=CLIENTS, progress=progress)
    verdict = check(beginning.history(started, load.operations))
    unknown = sum(not operation.is_known for operation in load.operations)
    print(
        f"{len(load.operations)} operations: {verdict.steps} effects and {verdict.reads} reads ordered"
        f" ({verdict.ambiguous} reads fit several versions, {unknown} operations never answered)",
        flush=True,
    )
    return verdict


if __name__ == "__main__":
    count, seed = [*map(int, sys.argv[1:]), *[50_000, 7][len(sys.argv) - 1 :]]
    found = prove(count, seed, lambda done: print(f"\r{done} of {count}", end="", file=sys.stderr, flush=True))
    print("\n".join(["", *found[:20], f"{len(found)} anomalies"]))
    sys.exit(bool(found))
