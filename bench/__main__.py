"""
``make bench``: limits, engine and API in one run on one database, and the ratios between them.

Absolute figures are this machine's; the ratios are what counts. Bounded to five minutes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from rich.console import Console
from rich.table import Table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
django.setup()

from bench import engine, growth, http, limits  # noqa: E402  (need the app registry)
from bench.world import CLIENT, make_world  # noqa: E402
from walletplatform.identity.tokens import access_token  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 12


def main() -> None:
    signal.alarm(300)
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
        for batch, payments in ((1, 3000), (10, 8000), (100, 20000), (1000, 30000)):
            note(
                f"engine_{processes}x{batch}",
                **engine.rate(wallets, batch=batch, processes=processes, payments=payments),
            )
    note("copy", per_second=limits.copy_rate(30000))
    console.print("API")
    token = access_token(CLIENT, lifetime=timedelta(hours=1))
    server = http.serve()
    try:
        http.load(wallets, token, connections=16, seconds=3, hot=False, server=server)
        for connections in (16, 64):
            for name, hot in (("uniform", False), ("hot", True)):
                figures = http.load(wallets, token, connections=connections, seconds=SECONDS, hot=hot, server=server)
                note(f"http_{name}_{connections}", **figures)
    finally:
        server.terminate()
        server.wait(20)
    report(console, results)


def report(console: Console, results: dict[str, dict[str, float]]) -> None:
    """Print the table and write it, with the ratios, where ``OUT`` says."""
    rate = {name: figures["per_second"] for name, figures in results.items()}
    ratios = {
        "engine_batch1000_vs_copy": rate["engine_1x1000"] / rate["copy"],
        "http_single_uniform_vs_pgbench": rate["http_uniform_64"] / rate["pgbench_uniform"],
        "http_single_hot_vs_uniform": rate["http_hot_64"] / rate["http_uniform_64"],
    }
    columns = ["per_second", "p50_ms", "p99_ms", "cpu_us", "cpu_web", "cpu_database", "cpu_load", "refused"]
    table = Table("what", *columns, title="Payments")
    for name, figures in results.items():
        table.add_row(name, *(f"{figures[c]:,.2f}" if c in figures else "" for c in columns))
    Console(width=150).print(table)
    for name, ratio in ratios.items():
        console.print(f"{name}: {ratio:.2f}")
    out = ROOT / (os.environ.get("OUT") or "build/bench.json")
    out.parent.mkdir(parents=True, exist_ok=True)
    answer: dict[str, Any] = {"ratios": ratios, "results": results}
    out.write_text(json.dumps(answer, indent=2) + "\n")
    console.print(f"Written to {out}")


if __name__ == "__main__":
    growth.main() if sys.argv[1:] == ["growth"] else main()
