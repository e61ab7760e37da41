"""
``make prove``: run the proofs, print what each reached, and write it down.

``--short`` takes less than three minutes, ``--only NAME`` runs one; ``--seed`` chooses the random requests.
Writes docs/proof.md and build/prove.json (not of short runs); ends with 1 where anything was violated.
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
WHAT = {proof.name: proof.what for proof in PROOFS}


def main() -> int:
    asked = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 140)
    results = []
    for proof in PROOFS:
        count = proof.short if asked.short else proof.count
        if count and (not asked.only or proof.name in asked.only):
            results.append(_run(console, proof, count, asked.seed))
    _print(console, results)
    if not asked.short:
        console.print(f"Written to {' and '.join(_write(results))}")
    return int(any(result["violations"] for result in results))


def _write(results: list[dict[str, Any]]) -> list[str]:
    """Write what was reached, beside what was reached before by proofs that did not run now."""
    out = ROOT / "build" / "prove.json"
    out.parent.mkdir(exist_ok=True)
    before = json.loads(out.read_text()) if out.exists() else []
    by_name = {result["name"]: result for result in [*before, *results]}
    known = [by_name[proof.name] for proof in PROOFS if proof.name in by_name]
    out.write_text(json.dumps(known, indent=2) + "\n")
    if len(known) < len(PROOFS):
        return ["build/prove.json"]
    (ROOT / "docs" / "proof.md").write_text(_page(known))
    return ["build/prove.json", "docs/proof.md"]


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
    return {"name": proof.name, "count": count, "violations": len(violations), "seconds": seconds, "seed": seed}


def _print(console: Console, results: list[dict[str, Any]]) -> None:
    table = Table("proof", "what", "count", "violations", "seconds", "seed", title="Promises, tried")
    for result in results:
        table.add_row(
            result["name"], WHAT[result["name"]], f"{result['count']:,}", str(result["violations"]),
            f"{result['seconds']:.0f}", str(result["seed"]),
        )  # fmt: skip
    console.print(table)


def _page(results: list[dict[str, Any]]) -> str:
    rows = [
        f"| {r['name']} | {WHAT[r['name']]} | {r['count']:,} | {r['violations']} | {r['seconds']:.0f} | {r['seed']} |"
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
