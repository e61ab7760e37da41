"""
``make bench ARGS=reconcile``: what reconciliation costs at 1,000,000 entries.

A full run over all of it, and a run over an hour's payments at 100,000 and at 1,000,000 entries of history: seconds,
and how many of them the database worked, which is what an idle core takes. The clock is moved on, so that the history
is of earlier hours: the hour in which the last run ended is counted again.
"""

from __future__ import annotations

import logging
import os
import random
import time
from pathlib import Path
from uuid import UUID

from django.db import connections
from rich.console import Console
from rich.progress import track

from bench.world import capture, make_world, move
from events import consuming
from events.consumers import CONSUMERS
from events.sequencer import sequence
from ledger.models import Entry
from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.runs import ask, execute
from payments import engine

SMALL, LARGE = 100_000, 1_000_000
AN_HOUR = 2_000


def main() -> None:
    console = Console()
    logging.disable(logging.INFO)
    wallets, chance = make_world(), random.Random(5)
    grow(wallets, chance, SMALL)
    _tell()
    _run(ReconciliationRun.Kind.INCREMENTAL)
    early = _hours(console, wallets, chance)
    grow(wallets, chance, LARGE)
    _tell()
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE")
    run, seconds, worked = _run(ReconciliationRun.Kind.FULL)
    console.print(f"Everything, {run.checked['entries']:,} entries: {seconds:.1f} s ({worked:.1f} s), {run.state}")
    late = _hours(console, wallets, chance)
    console.print(f"reconcile_full_seconds: {seconds:.1f}\nreconcile_hour_1e6_vs_1e5: {late / early:.2f}")


def grow(wallets: list[UUID], chance: random.Random, entries: int) -> None:
    """Pay until there are so many entries: a tenth from one wallet, a twentieth held first, some refused."""
    steps = range(max(0, entries - Entry.objects.count()) // 1900)
    for _ in track(steps, f"Growing to {entries:,} entries"):
        _pay(wallets, chance)


def _pay(wallets: list[UUID], chance: random.Random) -> None:
    sides = [chance.sample(wallets, 2) for _ in range(850)]
    sides += [[wallets[0], chance.choice(wallets[1:])] for _ in range(50)]
    moves = [move(sender, receiver, "0.01") for sender, receiver in sides]
    moves += [move(sender, receiver, "999999999999.00") for sender, receiver in sides[:5]]
    holds = [move(sender, receiver, "0.01", kind="authorization") for sender, receiver in sides[:50]]
    engine.execute([*moves, *holds])
    engine.execute([capture(UUID(held)) for held in _held(len(holds))])


def _held(count: int) -> list[str]:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT id FROM payments WHERE status = 'AUTHORIZED' ORDER BY id DESC LIMIT %s", [count])
        return [str(id) for (id,) in cursor.fetchall()]


def _hours(console: Console, wallets: list[UUID], chance: random.Random) -> float:
    """Return the seconds that the database works over an hour that follows a like one."""
    for _ in range(2):
        with connections["owner"].cursor() as cursor:
            cursor.execute("UPDATE ledger_clock SET shift = shift + interval '1 hour'")
        seconds = _an_hour(console, wallets, chance)
    return seconds


def _an_hour(console: Console, wallets: list[UUID], chance: random.Random) -> float:
    """Return the seconds that the database works over an hour's payments."""
    history = Entry.objects.count()
    for _ in range(AN_HOUR // 1000):
        _pay(wallets, chance)
    _tell()
    run, seconds, worked = _run(ReconciliationRun.Kind.INCREMENTAL)
    what = f"An hour of {run.checked['payments']:,} payments after {history:,} entries"
    console.print(f"{what}: {seconds:.1f} s ({worked:.1f} s)")
    return worked


def _tell() -> None:
    while sequence():
        pass
    for consumer in CONSUMERS.values():
        while consuming.consume(consumer):
            pass


def _run(kind: str) -> tuple[ReconciliationRun, float, float]:
    """Return a run, how long it took, and how long the database's process worked for it."""
    asked = ask(kind)
    assert asked is not None  # it has no slot that could be taken
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    start, before = time.perf_counter(), _worked(process)
    run = execute(asked.id)
    if run.state not in (ReconciliationRun.State.CLEAN, ReconciliationRun.State.FINDINGS):
        raise RuntimeError(run.error)
    return run, time.perf_counter() - start, _worked(process) - before


def _worked(process: int) -> float:
    """Return the seconds that a process of this machine has worked so far (proc(5), utime and stime)."""
    ticks = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
