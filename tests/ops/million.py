"""
``python -m tests.ops.million [ROWS]``: every page of the console on a ledger of 1,000,000 payments.

Prints milliseconds at the server (the best of five) and how many of them are this process's own work, queries, and the
most rows of a big table that one step of a query read. Ends with 1 where a page takes more than 300 ms or 12 queries,
or counts. Uses a PostgreSQL of its own under var/million.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent.parent
MOST_MILLISECONDS, MOST_QUERIES = 300, 12


def main() -> int:
    rows = int(sys.argv[1]) if sys.argv[1:] else 1_000_000
    if "TEST_ADMIN_DATABASE_URL" in os.environ:
        return measure(rows)
    from walletplatform.embedded.data_dir import DataDir
    from walletplatform.embedded.running import with_services

    data_dir = DataDir(ROOT / "var" / "million")
    with data_dir.lock():
        return with_services(data_dir, print, [sys.executable, "-W", "ignore", "-m", "tests.ops.million", str(rows)])


def measure(rows: int) -> int:
    import logging

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
    django.setup()
    from django.test.utils import setup_test_environment

    from tests.ops.large import WIDEST, large_ledger, look_at_all

    setup_test_environment()
    logging.disable(logging.ERROR)
    table = Table("page", "ms", "of it CPU", "queries", "rows read", title=f"The console with {rows:,} payments")
    bad = 0
    with large_ledger("million", rows):
        for seen in look_at_all(times=5):
            wrong = (
                seen.status != 200 or seen.milliseconds > MOST_MILLISECONDS or seen.queries > MOST_QUERIES
                or seen.counted or seen.rows > WIDEST
            )  # fmt: skip
            bad += bool(wrong)
            table.add_row(
                f"{seen.name}{'  !' if wrong else ''}",
                f"{seen.milliseconds:.0f}",
                f"{seen.cpu:.0f}",
                str(seen.queries),
                f"{seen.rows:,}",
            )
            if wrong:
                print(f"{seen.name}: {seen.status}, {seen.counted or seen.widest}"[:2000])
    Console(width=100).print(table)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
