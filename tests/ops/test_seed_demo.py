"""The demo's story: told on an empty ledger, through the real money path, the same for the same seed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
from django.db import connections

from tests.conftest import ROOT, admin_url, drop_database, make_database
from tests.ops.story import begin_within_an_hour


def manage(name, *arguments):
    urls = {}
    for alias, variable in (("default", "DATABASE_URL"), ("owner", "DATABASE_OWNER_URL")):
        parts = connections[alias].settings_dict
        urls[variable] = f"postgresql://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{name}"
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=os.environ | urls, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def told(name):
    """The story without its random ids: kinds, amounts and outcomes, in order."""
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=name)) as admin:
        return admin.execute(
            "SELECT kind, status, asset, amount, description FROM payments WHERE idempotency_key LIKE 'demo-%'"
            " ORDER BY split_part(idempotency_key, '-', 2)::int, idempotency_key"
        ).fetchall()


def test_the_same_seed_tells_the_same_story_and_the_ledger_is_right():
    names = [f"demo_{number}_{os.getpid()}" for number in (1, 2)]
    try:
        for name in names:
            make_database(name)
        # Both in the same hour: what is busy when follows the time of day.
        begin_within_an_hour(seconds=15)
        with ThreadPoolExecutor() as both:
            tellings = list(both.map(lambda name: manage(name, "seed_demo", "--payments", "250", "--seed", "3"), names))
        assert [(telling.returncode, telling.stderr) for telling in tellings] == [(0, ""), (0, "")]
        first, second = (told(name) for name in names)
        assert first == second
        assert {"SETTLED", "FAILED", "VOIDED"} <= {status for _, status, *_ in first}
        assert {"authorization", "capture", "refund"} <= {kind for kind, *_ in first}
        assert {asset for _, _, asset, *_ in first} == {"EUR", "GEM", "PTS"}
        assert "The ledger is right." in manage(names[0], "verify_ledger").stdout
        with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=names[0])) as admin:
            [days, shift] = admin.execute(
                "SELECT max(created_at)::date - min(created_at)::date, (SELECT shift::text FROM ledger_clock)"
                " FROM payments"
            ).fetchone()
        assert days >= 25
        assert shift == "00:00:00"
        again = manage(names[0], "seed_demo")
        assert (again.returncode, "in use" in again.stderr) == (1, True)
        with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=names[0])) as admin:
            admin.execute("UPDATE ledger_clock SET shift = '-3 days'")  # as a story killed in the middle leaves it
        assert manage(names[0], "seed_demo", "--if-empty").returncode == 0
        with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=names[0])) as admin:
            assert admin.execute("SELECT shift::text FROM ledger_clock").fetchone() == ("00:00:00",)
        assert told(names[0]) == first
    finally:
        for name in names:
            drop_database(name)
