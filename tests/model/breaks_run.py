"""
``make prove-break``: plant each bug in a copy of the source, and see the tests turn red.

The checkout is never touched. What fails with a bug of the code must fail twice, and in the end every test that
caught one must pass without any: red says something only where it is not red anyway.
``python -m tests.model.breaks_run [NAME ...]`` plants only those whose names contain a NAME.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from tests.model import breaks_code, breaks_events, breaks_limits, breaks_rights
from tests.model.breaks import Break, Patch, of_the_database
from tests.model.breaks_defences import ATTEMPTS, CATALOGUE
from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.services import Services

ROOT = Path(__file__).resolve().parent.parent.parent
DEFENCE = "tests/model/test_defences.py::test_the_database_refuses_by_this_defence[{}]"
BREAKS = "tests/model/test_breaks.py"
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "var", "build", "__pycache__", ".*_cache", "*.png", "mutants", ".hypothesis"
)
AT_ONCE = 2
SECONDS = 240
# What half of a start of pytest goes into, and none of these tests needs.
PLAIN = ("-p", "no:schemathesis", "-p", "no:hypothesispytest")


@dataclass(frozen=True, slots=True)
class Result:
    """``by`` is the first test that failed; empty where all passed, and the bug went unnoticed."""

    name: str
    taken: str
    by: str
    seconds: float
    trouble: str = ""

    @property
    def caught(self) -> bool:
        return bool(self.by) and not self.trouble


def main(names: Sequence[str]) -> int:
    if {"-h", "--help"} & set(names):
        print(__doc__)
        return 0
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # what was started is stopped
    with tempfile.TemporaryDirectory(prefix="break-", ignore_cleanup_errors=True) as folder:
        place = Path(folder)
        place.chmod(0o755)
        services = Services(DataDir(place / "services"), lambda text: None)
        try:
            env = os.environ | services.start()
            # Makes the template of the tests' databases, once for all.
            _run((f"{BREAKS}::test_names_are_unique",), env, place, ())
            results = _plant_all(_planted(env, names), env, place)
            wrong = _control(results, env, place)
        finally:
            services.stop()
    missed = [result for result in results if not result.caught]
    print(f"\n{len(results) - len(missed)} of {len(results)} planted bugs caught, {time.monotonic() - began:.0f} s")
    for result in missed:
        print(f"NOT CAUGHT  {result.name}: {result.taken} {result.trouble}")
    if wrong:
        print(f"WITHOUT ANY BUG, TOO: {wrong}")
    elif not names:
        _write(results)
    return bool(missed or wrong)


def _planted(env: dict[str, str], names: Sequence[str]) -> list[Break]:
    """Every bug to plant: of the code, of rights, and one for each defence that the database has."""
    known = [*breaks_code.breaks(), *breaks_events.breaks(), *breaks_limits.breaks(), *breaks_rights.breaks()]
    chosen = [one for one in known if not names or any(name in one.name for name in names)]
    of_tables = [
        of_the_database(name, drop.removeprefix(f"ALTER TABLE {table} ").lower(), drop, DEFENCE.format(name))
        for name, table, drop in _catalogue(env)
        if not names or any(wanted in name for wanted in names)
    ]
    return chosen + of_tables


def _catalogue(env: dict[str, str]) -> list[tuple[str, str, str]]:
    """The defences that the tables really have, as the tests' template says."""
    url = env["TEST_ADMIN_DATABASE_URL"]
    with psycopg.connect(url) as session:
        [(template,)] = session.execute("SELECT datname FROM pg_database WHERE datname ~ '^template_[0-9a-f]+$'")
    with psycopg.connect(psycopg.conninfo.make_conninfo(url, dbname=template)) as session:
        found = session.execute(CATALOGUE).fetchall()
    unknown = {name for name, _, _ in found} ^ ATTEMPTS.keys()
    if unknown:
        sys.exit(f"These defences and attempts have no other side: {', '.join(sorted(unknown))}")
    return found


def _plant_all(planted: list[Break], env: dict[str, str], place: Path) -> list[Result]:
    print(f"{len(planted)} bugs, {AT_ONCE} at a time", flush=True)
    results = []
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for number, result in enumerate(pool.map(lambda one: _plant(one, env, place), planted), start=1):
            results.append(result)
            shown = result.by if result.caught else f"NOT CAUGHT {result.trouble}"
            print(f"{number:>4}  {result.name:<40} {result.seconds:5.1f} s  {shown}", flush=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return results


def _plant(one: Break, env: dict[str, str], place: Path) -> Result:
    """Run the tests of a bug in a copy that has it; twice where chance could be what failed."""
    began = time.monotonic()
    try:
        trouble, by = _run(one.tests, env, place, one.patches, again=one.twice)
    except (ValueError, subprocess.TimeoutExpired) as error:
        trouble, by = str(error)[:300], ""
    return Result(one.name, one.taken, by, round(time.monotonic() - began, 1), trouble)


def _control(results: list[Result], env: dict[str, str], place: Path) -> str:
    """Run the tests that caught something in a copy without any bug: all must pass."""
    tests = sorted({result.by for result in results if result.caught})
    print(f"Without any bug: {len(tests)} tests that caught one", flush=True)
    trouble, by = _run(tests, env, place, ())
    return trouble or by


def _run(
    tests: Sequence[str], env: dict[str, str], place: Path, patches: Sequence[Patch], *, again: bool = False
) -> tuple[str, str]:
    """
    Run tests up to the first failure, in a copy of the source with ``patches``; (trouble, failure).

    :raises ValueError: where a patch does not fit
    """
    copy = Path(tempfile.mkdtemp(dir=place))
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT, dirs_exist_ok=True)
    try:
        for patch in patches:
            patch.apply(copy)
        trouble, by = _pytest(tests, env, copy)
        if by and again:
            trouble, second = _pytest(tests, env, copy)
            trouble = trouble or ("" if second else f"{by} failed once, and then all passed")
        return trouble, by
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def _pytest(tests: Sequence[str], env: dict[str, str], copy: Path) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-n0", "-x", "--timeout=90", *PLAIN, *tests],
        cwd=copy, env=env | {"DATA_DIR": str(copy / "var"), "PYTHONDONTWRITEBYTECODE": "1"}, text=True,
        capture_output=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    return _outcome(done)


def _outcome(done: subprocess.CompletedProcess[str]) -> tuple[str, str]:
    """(trouble, first failure). Only a test that failed counts: source that does not even load proves nothing."""
    failed = re.search(r"^FAILED (\S.*?)(?: - |$)", done.stdout, re.MULTILINE)
    if done.returncode == 1 and failed:
        return "", failed[1]
    if done.returncode == 0:
        return "", ""
    return f"pytest ended with {done.returncode}: {done.stdout[-1500:]} {done.stderr[-500:]}", ""


def _write(results: list[Result]) -> None:
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    found = [asdict(result) | {"caught": result.caught} for result in results]
    (build / "prove-break.json").write_text(json.dumps(found, indent=1) + "\n")
    caught = sum(result.caught for result in results)
    lines = [
        "# Planted bugs",
        "",
        "Written by `make prove-break`. Each line takes one thing away from a copy of the source, or from the",
        "database of the tests, and names the first test that failed. A test suite that stays green without one of",
        "these would be no evidence for it. Bugs of the code failed twice; without a bug, all of these tests pass.",
        "",
        f"{caught} of {len(results)} caught.",
        "",
        "| bug | what was taken away | what caught it | seconds |",
        "|---|---|---|---|",
    ]
    for result in results:
        by = f"`{result.by.removeprefix('tests/')}`" if result.caught else "**nothing**"
        taken = result.taken.replace("|", "\\|")
        lines.append(f"| {result.name} | {taken} | {by} | {result.seconds:.0f} |")
    (ROOT / "docs" / "proof-break.md").write_text("\n".join([*lines, ""]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
