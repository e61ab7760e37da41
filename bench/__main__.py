"""
``make bench``: limits, engine and API in one run on one database, and the ratios between them.

Absolute figures are this machine's; the ratios are what counts. Bounded to five minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import django
from rich.console import Console
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
django.setup()

from bench import engine, events, growth, http, http_batch, limits, pgledger, reconcile  # noqa: E402  (need the app registry)
from bench.world import CLIENT, make_world  # noqa: E402
from walletplatform.identity.tokens import access_token  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 10


HOW = {
    "engine_batch1000_vs_copy": "one process, batches of 1,000 / COPY of the same rows, in transactions of 1,000",
    "http_single_uniform_vs_pgbench": "POST /payments, 64 connections, unique keys / pgbench, 8 clients, one function",
    "http_single_hot_vs_uniform": "the same load, all from one wallet / between 999",
    "http_batch1000_vs_engine": "POST /payments/batch, 1,000 items, 2 connections / one process, batches of 1,000",
    "authorize_capture_vs_transfer": "authorization with capture / of a transfer: time, batches of 100, in turns",
    "engine_single_vs_pgledger": "single payments, 2 processes of 32 threads, group commit / pgledger, 8 clients",
    "engine_hot_vs_pgledger": "the same, all from one wallet",
    "sequencing_vs_engine": "facts moved into the log / payments, one process, batches of 1,000",
    "engine_with_relay_vs_without": "single payments beside sequencer and Kafka relay (and broker) / alone, in turns",
    "engine_with_consumers_vs_without": "single payments beside sequencer and all consumers / alone, in turns",
    "engine_batch1000_vs_pgledger": "one process, batches of 1,000 / pgledger's batch function, 1,000, one client",
}


def main() -> None:
    signal.alarm(400)
    console = Console()
    results: dict[str, dict[str, float]] = {}

    def note(name: str, **figures: float) -> None:
        results[name] = figures
        console.print(f"  {name}: {figures['per_second']:,.0f} a second")

    console.print("Making the world (1,000 wallets)")
    wallets = make_world()
    scripts = Path(os.environ["DATA_DIR"])
    limits.install(scripts, wallets)
    limits.pgbench(scripts / "uniform.sql", seconds=3)
    console.print("Limits")
    note("pgbench_uniform", per_second=limits.pgbench(scripts / "uniform.sql", seconds=SECONDS))
    note("pgbench_hot", per_second=limits.pgbench(scripts / "hot.sql", seconds=SECONDS))
    console.print("Engine")
    for processes in (1, 2):
        for batch, payments in ((1, 2000), (10, 6000), (100, 15000), (1000, 30000)):
            figures = engine.batches(wallets, batch=batch, processes=processes, payments=payments)
            note(f"engine_{processes}x{batch}", **figures)
    note("copy", per_second=limits.copy_rate(30000))
    # In turns: what the machine does to one of them it does to the other.
    turns = [
        (engine.batches(wallets, batch=100, processes=1, payments=5000), engine.holds(wallets, payments=3500))
        for _ in range(3)
    ]
    note("engine_transfers", per_second=len(turns) / sum(1 / plain["per_second"] for plain, _ in turns))
    note("engine_holds", per_second=len(turns) / sum(1 / held["per_second"] for _, held in turns))
    for name, hot in (("single", False), ("hot", True)):
        note(f"engine_{name}", **engine.singles(wallets, hot=hot, seconds=8))
    console.print("Events")
    note("sequencing", **events.sequencing())
    for name, figures in events.in_turns(wallets, seconds=5).items():
        note(name if name == "into_log" else f"engine_single_{name}", **figures)
    console.print("pgledger")
    sql = pgledger.source()
    if sql is None:
        console.print("  Its SQL cannot be had: set PGLEDGER_SQL to a folder with it. Left out.")
    for name, rate in (pgledger.rates(scripts, sql, seconds=8) if sql else {}).items():
        note(f"pgledger_{name}", per_second=rate)
    console.print("API")
    _api(note, wallets)
    report(console, results)


def _api(note: Callable[..., None], wallets: list[UUID]) -> None:
    token = access_token(CLIENT, lifetime=timedelta(hours=1))
    server = http.serve()
    try:
        http.load(wallets, token, connections=16, seconds=3, hot=False, server=server)
        for connections in (16, 64):
            for name, hot in (("uniform", False), ("hot", True)):
                figures = http.load(wallets, token, connections=connections, seconds=SECONDS, hot=hot, server=server)
                note(f"http_{name}_{connections}", **figures)
        note("http_batch1000", **http_batch.load(wallets, token, seconds=SECONDS))
    finally:
        server.terminate()
        server.wait(20)


def ratios(rate: dict[str, float]) -> dict[str, float]:
    """Return what counts: each figure against a limit of the same run. pgledger's only where it was measured."""
    found = {
        "engine_batch1000_vs_copy": rate["engine_1x1000"] / rate["copy"],
        "http_single_uniform_vs_pgbench": rate["http_uniform_64"] / rate["pgbench_uniform"],
        "http_single_hot_vs_uniform": rate["http_hot_64"] / rate["http_uniform_64"],
        "http_batch1000_vs_engine": rate["http_batch1000"] / rate["engine_1x1000"],
        "sequencing_vs_engine": rate["sequencing"] / rate["engine_1x1000"],
        "engine_with_relay_vs_without": rate["engine_single_with_relay"] / rate["engine_single_alone"],
        "engine_with_consumers_vs_without": rate["engine_single_with_consumers"] / rate["engine_single_alone"],
        "authorize_capture_vs_transfer": rate["engine_transfers"] / rate["engine_holds"],
    }
    if "pgledger_single" in rate:
        found |= {
            "engine_single_vs_pgledger": rate["engine_single"] / rate["pgledger_single"],
            "engine_hot_vs_pgledger": rate["engine_hot"] / rate["pgledger_hot"],
            "engine_batch1000_vs_pgledger": rate["engine_1x1000"] / rate["pgledger_batch1000"],
        }
    return found


def report(console: Console, results: dict[str, dict[str, float]]) -> None:
    """Print the table and write it, with the ratios, where ``OUT`` says."""
    reached = ratios({name: figures["per_second"] for name, figures in results.items()})
    columns = ["per_second", "p50_ms", "p99_ms", "cpu_us", "cpu_web", "cpu_database", "cpu_load", "refused"]
    table = Table("what", *columns, title="Payments")
    for name, figures in results.items():
        table.add_row(name, *(f"{figures[c]:,.2f}" if c in figures else "" for c in columns))
    wide = Console(width=150)
    wide.print(table)
    for name, ratio in reached.items():
        wide.print(f"{name}: {ratio:.2f}   ({HOW[name]})")
    out = ROOT / (os.environ.get("OUT") or "build/bench.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    answer: dict[str, Any] = {"ratios": reached, "results": results}
    out.write_text(json.dumps(answer, indent=2) + "\n")
    console.print(f"Written to {out}")


if __name__ == "__main__":
    {"growth": growth.main, "reconcile": reconcile.main}.get("".join(sys.argv[1:]), main)()
