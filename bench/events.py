"""Events beside the money path: what they cost it, how fast they come into the log, and how late."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from django.db import connections

from bench import engine
from bench.world import DATABASE
from events.consumers import CONSUMERS
from events.kafka import KafkaRelay
from events.log import head
from events.models import Cursor
from events.sequencer import sequence
from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.kafka import Kafka

SEQUENCING_SECONDS = 8
TURNS = 2


def sequencing() -> dict[str, float]:
    """Facts a second from the outbox into the log, while nothing else runs."""
    sequence()
    moved, start = 0, time.perf_counter()
    while time.perf_counter() - start < SEQUENCING_SECONDS and (done := sequence()):
        moved += done
    return {"per_second": moved / (time.perf_counter() - start)}


def begin_at_the_end() -> None:
    """Let consumers and relays begin behind what is there, so that they are not busy with the past."""
    while sequence():
        pass
    for name in (*CONSUMERS, KafkaRelay.name):
        Cursor.objects.update_or_create(name=name, defaults={"position": head()})


def in_turns(wallets: list[UUID], *, seconds: float) -> dict[str, dict[str, float]]:
    """
    Single payments alone, beside sequencer and Kafka relay, and beside sequencer and consumers; in turns.

    ``into_log`` is how late their events came into the log, beside the relay.
    """
    kafka = Kafka(DataDir(Path(os.environ["DATA_DIR"])))
    kafka.start()
    env = {"KAFKA_BOOTSTRAP_SERVERS": kafka.servers(running=True)}
    turns: dict[str, list[float]] = {"alone": [], "with_relay": [], "with_consumers": []}
    try:
        for _ in range(TURNS):
            turns["alone"].append(engine.singles(wallets, hot=False, seconds=seconds)["per_second"])
            begin_at_the_end()
            relayed, into_log = _beside(wallets, [["sequence"], ["relay", "kafka"]], env, seconds=seconds)
            turns["with_relay"].append(relayed["per_second"])
            begin_at_the_end()
            consumed, _ = _beside(wallets, [["sequence"], ["consume"]], env, seconds=seconds)
            turns["with_consumers"].append(consumed["per_second"])
    finally:
        kafka.stop()
    return {name: {"per_second": sum(rates) / TURNS} for name, rates in turns.items()} | {"into_log": into_log}


def _beside(
    wallets: list[UUID], commands: list[list[str]], env: dict[str, str], *, seconds: float
) -> tuple[dict[str, float], dict[str, float]]:
    """Single payments while commands run; and how late their events came into the log."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT max(position) FROM events")
        (before,) = cursor.fetchone()
        with _running(commands, env):
            paid = engine.singles(wallets, hot=False, seconds=seconds)
            time.sleep(1)
        cursor.execute(
            """SELECT count(*) / %s, 1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY late),
                      1000 * percentile_cont(0.99) WITHIN GROUP (ORDER BY late)
                 FROM (SELECT extract(epoch FROM sequenced_at - time) AS late
                         FROM events WHERE position > %s) AS told""",
            [seconds, before],
        )
        rate, p50, p99 = cursor.fetchone()
    return paid, {"per_second": float(rate), "p50_ms": float(p50), "p99_ms": float(p99)}


@contextmanager
def _running(commands: list[list[str]], env: dict[str, str]) -> Iterator[None]:
    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{DATABASE}"
    started = [
        subprocess.Popen([sys.executable, "-W", "ignore", "manage.py", *command],
                         env=os.environ | env | {"DATABASE_URL": url})
        for command in commands
    ]  # fmt: skip
    # Until they have begun, and read what is there.
    time.sleep(4)
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)
