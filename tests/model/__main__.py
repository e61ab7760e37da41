"""
``make prove``: run the proofs, print what each reached, and write it down.

``--short`` takes less than three minutes, ``--only NAME`` runs one; ``--seed`` chooses the random requests.
Writes docs/proof.md (full runs only) and build/prove.json; ends with 1 where anything was violated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
django.setup()

from rich.console import Console  # noqa: E402  (need the app registry)
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: E402
from rich.table import Table  # noqa: E402

from tests.model.proofs import PROOFS, Proof  # noqa: E402

ROOT = Path(__file__).parent.parent.parent
SHOWN = 5


def main() -> int:
    asked = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 140)
    results = []
    for proof in PROOFS:
        count = proof.short if asked.short else proof.count
        if count and (not asked.only or proof.name in asked.only):
            results.append(_run(console, proof, count, asked.seed))
    _print(console, results)
    out = ROOT / "build" / "prove.json"
    out.parent.mkdir(exist_ok=True)
    names = ("name", "count", "violations", "seconds", "seed")
    out.write_text(json.dumps([{name: result[name] for name in names} for result in results], indent=2) + "\n")
    if not asked.short and not asked.only:
        (ROOT / "docs" / "proof.md").write_text(_page(results))
        console.print("Written to docs/proof.md and build/prove.json")
    return int(any(result["violations"] for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make prove", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a little of each, in under three minutes")
    parser.add_argument("--only", action="append", choices=[proof.name for proof in PROOFS], help="only this one")
    parser.add_argument("--seed", type=int, default=7, help="which random requests (7)")
    return parser.parse_args()


def _run(console: Console, proof: Proof, count: int, seed: int) -> dict[str, Any]:
    columns = [TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    start = time.monotonic()
    if not console.is_terminal:
        console.print(f"{proof.name}: {count:,} {proof.what}")
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(proof.name, total=count)
        violations = proof.prove(count, seed, lambda done: bar.update(task, completed=done))
    seconds = round(time.monotonic() - start, 1)
    console.print(f"  {len(violations)} violations in {seconds:.0f} s")
    for violation in violations[:SHOWN]:
        console.print(f"  - {violation[:500]}", markup=False)
    return {
        "name": proof.name, "what": proof.what, "count": count, "violations": len(violations),
        "seconds": seconds, "seed": seed,
    }  # fmt: skip


def _print(console: Console, results: list[dict[str, Any]]) -> None:
    table = Table("proof", "what", "count", "violations", "seconds", "seed", title="Promises, tried")
    for result in results:
        table.add_row(
            result["name"], result["what"], f"{result['count']:,}", str(result["violations"]),
            f"{result['seconds']:.0f}", str(result["seed"]),
        )  # fmt: skip
    console.print(table)


def _page(results: list[dict[str, Any]]) -> str:
    rows = [
        f"| {r['name']} | {r['what']} | {r['count']:,} | {r['violations']} | {r['seconds']:.0f} | {r['seed']} |"
        for r in results
    ]
    return f"""# Proof

`make prove` tries the promises against a model of the API that shares no code with it, and against servers
of its own that are killed while they work. This page is written by it; `make prove ARGS=--short` takes under three
minutes, `ARGS="--only duplicate_storm"` runs one. The shape of each is in `tests/model/`.

| proof | what | count | violations | seconds | seed |
|---|---|---|---|---|---|
{chr(10).join(rows)}

What the tests would miss if they could is in [proof-break.md](proof-break.md): each defence taken away in turn,
and what noticed. [Mutation tests](mutation.md) do the same to every line that decides.
"""


if __name__ == "__main__":
    sys.exit(main())
