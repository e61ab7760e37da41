"""What the machine can do at most: pgbench calling one function a payment, and COPY of the same rows."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from uuid import UUID

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.world import DATABASE, admin_url
from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.unprivileged import runner

TABLES = ["idempotency_keys", "payments", "transactions", "ledger_entries", "outbox_events"]


def install(folder: Path, wallets: list[UUID]) -> None:
    """Put the function and numbered wallets where pgbench's scripts find them."""
    with psycopg.connect(admin_url(DATABASE), autocommit=True) as admin:
        admin.execute(Path(__file__).with_name("one_payment.sql").read_bytes())
        admin.execute("CREATE TABLE bench_wallets (number int PRIMARY KEY, id uuid)")
        with admin.cursor().copy("COPY bench_wallets FROM STDIN") as copy:
            for number, wallet in enumerate(wallets):
                copy.write_row((number, wallet))
        admin.execute("ANALYZE bench_wallets")
    last = len(wallets) - 1
    (folder / "uniform.sql").write_text(
        f"\\set a random(1, {last})\n\\set b random(1, {last - 1})\n"
        "\\set b case when :b >= :a then :b + 1 else :b end\n"
        "SELECT bench_pay((SELECT id FROM bench_wallets WHERE number = :a),"
        " (SELECT id FROM bench_wallets WHERE number = :b), 1);\n"
    )
    (folder / "hot.sql").write_text(
        f"\\set b random(1, {last})\n"
        "SELECT bench_pay((SELECT id FROM bench_wallets WHERE number = 0),"
        " (SELECT id FROM bench_wallets WHERE number = :b), 1);\n"
    )


def pgbench(script: Path, *, seconds: int, clients: int = 8, database: str = DATABASE) -> float:
    """Return payments a second, by pgbench's own account."""
    parts = conninfo_to_dict(admin_url(database))
    program = runner(DataDir(script.parent).path).bin / "pgbench"
    done = subprocess.run(
        [str(program), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds), "-f", str(script)],
        env={
            "PGHOST": str(parts["host"]), "PGPORT": str(parts["port"]), "PGUSER": str(parts["user"]),
            "PGPASSWORD": str(parts["password"]), "PGDATABASE": database,
        },
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def copy_rate(payments: int) -> float:
    """
    Return payments a second when the rows of ``payments`` of them are loaded by COPY.

    The rows are the newest in the tables, deleted with triggers off and loaded back with all indexes,
    foreign keys and triggers on, accounts included, in one transaction for each 1,000 payments.
    """
    chunks = []
    with psycopg.connect(admin_url(DATABASE)) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "CREATE TEMPORARY TABLE newest AS SELECT p.id, p.idempotency_key AS key,"
            " row_number() OVER (ORDER BY p.created_at, p.id) AS place FROM (SELECT * FROM payments"
            " ORDER BY created_at DESC, id DESC LIMIT %s) AS p",
            (payments,),
        )
        for first in range(1, payments + 1, 1000):
            chunks.append({table: _copy_out(admin, table, first) for table in TABLES})
        for table, column in (
            ("outbox_events", "subject"), ("ledger_entries", "transaction_id"), ("transactions", "id"),
            ("payments", "id"), ("idempotency_keys", "resource_id"),
        ):  # fmt: skip
            admin.execute(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM newest)")
    with psycopg.connect(admin_url(DATABASE), autocommit=True) as admin:
        admin.execute("VACUUM ANALYZE")
    return _load(chunks, payments)


def _copy_out(admin: psycopg.Connection, table: str, first: int) -> bytes:
    column = {
        "outbox_events": "subject",
        "ledger_entries": "transaction_id",
        "idempotency_keys": "resource_id",
    }
    statement = (
        f"COPY (SELECT t.* FROM {table} t JOIN newest n ON n.id = t.{column.get(table, 'id')}"
        f" WHERE n.place >= {first} AND n.place < {first + 1000}) TO STDOUT"
    )
    with admin.cursor().copy(statement) as copy:
        return b"".join(bytes(part) for part in copy)


def _load(chunks: list[dict[str, bytes]], payments: int) -> float:
    with psycopg.connect(admin_url(DATABASE)) as admin:
        # The accounts already stand behind these entries: only the rule that compares them is left out.
        admin.execute("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_chain")
        admin.commit()
        start = time.perf_counter()
        for chunk in chunks:
            for table in TABLES:
                with admin.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                    copy.write(chunk[table])
            admin.commit()
        seconds = time.perf_counter() - start
        admin.execute("ALTER TABLE ledger_entries ENABLE TRIGGER ledger_entries_chain")
        admin.commit()
    return payments / seconds
