"""
pgledger beside us: an open-source ledger in SQL, by its own functions in the same server.

Its SQL is fetched from its public repository for the measurement, at a pinned commit, or read from the
folder that ``PGLEDGER_SQL`` names; it is not part of this project. Where neither is there, its ratios are
left out. It keeps accounts, transfers and entries; it knows no keys, wallets, states, failures or events.
"""

from __future__ import annotations

import os
import random
import time
import urllib.request
from pathlib import Path

import psycopg

from bench.limits import pgbench
from bench.world import WALLETS, admin_url

DATABASE = "bench_pgledger"
SOURCE = "https://raw.githubusercontent.com/pgr0ss/pgledger/c18c7d267d46ab396641d5e44f1ce3166aeb9a6d/"
FILES = [
    "vendor/scoville-pgsql-ulid/ulid-to-uuid.sql",
    "vendor/scoville-pgsql-ulid/uuid-to-ulid.sql",
    "pgledger.sql",
]


def source() -> list[str] | None:
    """Return pgledger's SQL, file by file, or None where it cannot be had."""
    folder = os.environ.get("PGLEDGER_SQL")
    try:
        if folder:
            return [(Path(folder) / Path(name).name).read_text() for name in FILES]
        return [_fetch(SOURCE + name) for name in FILES]
    except OSError:
        return None


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (https, pinned)
        return str(answer.read().decode())


def rates(scripts: Path, sql: list[str], *, seconds: int) -> dict[str, float]:
    """Return pgledger's payments a second: single, hot (8 clients each), and in batches of 1,000."""
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DATABASE}")
    with psycopg.connect(admin_url(DATABASE), autocommit=True) as admin:
        for text in sql:
            admin.execute(text.encode())
        admin.execute("CREATE TABLE bench_wallets (number int PRIMARY KEY, id text)")
        admin.execute(
            "INSERT INTO bench_wallets SELECT n, (pgledger_create_account('a' || n, 'EUR')).id"
            " FROM generate_series(0, %s) AS n",
            (WALLETS - 1,),
        )
        admin.execute("VACUUM ANALYZE")
    pay = (
        "SELECT * FROM pgledger_create_transfer((SELECT id FROM bench_wallets WHERE number = {a}),"
        " (SELECT id FROM bench_wallets WHERE number = :b), 0.01);\n"
    )
    last = WALLETS - 1
    uniform, hot = scripts / "pgledger_uniform.sql", scripts / "pgledger_hot.sql"
    uniform.write_text(
        f"\\set a random(1, {last})\n\\set b random(1, {last - 1})\n"
        "\\set b case when :b >= :a then :b + 1 else :b end\n" + pay.format(a=":a")
    )
    hot.write_text(f"\\set b random(1, {last})\n" + pay.format(a="0"))
    pgbench(uniform, seconds=2, database=DATABASE)
    return {
        "single": pgbench(uniform, seconds=seconds, database=DATABASE),
        "hot": pgbench(hot, seconds=seconds, database=DATABASE),
        "batch1000": _batches(seconds),
    }


def _batches(seconds: float) -> float:
    """Payments a second of one client that calls its batch function with 1,000 transfers at a time."""
    chance = random.Random(11)
    with psycopg.connect(admin_url(DATABASE), autocommit=True) as admin:
        accounts = [account for (account,) in admin.execute("SELECT id FROM bench_wallets ORDER BY number")]
        done, start = 0, time.perf_counter()
        while time.perf_counter() < start + seconds:
            sides = [chance.sample(accounts, 2) for _ in range(1000)]
            requests = "{" + ",".join(f'"({sender},{receiver},0.01)"' for sender, receiver in sides) + "}"
            admin.execute("SELECT count(*) FROM pgledger_create_transfers(%s::transfer_request[])", (requests,))
            done += 1000
        return done / (time.perf_counter() - start)
