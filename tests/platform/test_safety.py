"""The platform refuses to serve where the ledger's guarantees would be empty."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.db import connections

from tests.conftest import ROOT, admin_url, drop_database, make_database

SERVE = "import walletplatform.wsgi; print('serving')"


@pytest.fixture
def own_database():
    name = f"safety_{os.getpid()}"
    make_database(name)
    yield name
    drop_database(name)


def serve(url: str, database: str, **env: str) -> subprocess.CompletedProcess[str]:
    parts = psycopg.conninfo.conninfo_to_dict(url)
    url = f"postgresql://{parts['user']}:{parts.get('password', '')}@{parts['host']}:{parts['port']}/{database}"
    return subprocess.run(
        [sys.executable, "-c", SERVE],
        env=os.environ | {"DATABASE_URL": url} | env,
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_serves_as_the_role_app(own_database):
    assert serve(os.environ["DATABASE_URL"], own_database).stdout.endswith("serving\n")


def test_it_refuses_a_role_that_owns_the_ledger(own_database):
    refused = serve(os.environ["DATABASE_OWNER_URL"], own_database)

    assert refused.returncode == 1
    assert "owns ledger_entries" in refused.stderr


def test_it_refuses_a_superuser(own_database):
    refused = serve(admin_url(), own_database)

    assert refused.returncode == 1
    assert "is a superuser" in refused.stderr


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("ALTER ROLE app IN DATABASE {} SET synchronous_commit = off", "synchronous_commit is off"),
        ("GRANT TEMP ON DATABASE {} TO app", "may create temporary tables"),
    ],
)
def test_it_refuses_unsafe_settings(own_database, change, reason):
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(change.format(f'"{own_database}"'))

    refused = serve(os.environ["DATABASE_URL"], own_database)

    assert refused.returncode == 1
    assert reason in refused.stderr


def test_it_refuses_a_trigger_that_is_switched_off(own_database):
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=own_database)) as admin:
        admin.execute("ALTER TABLE ledger_entries DISABLE TRIGGER ledger_entries_chain")

    refused = serve(os.environ["DATABASE_URL"], own_database)

    assert refused.returncode == 1
    assert "ledger_entries_chain is switched off" in refused.stderr


PRODUCTION = {"ENVIRONMENT": "production", "SECRET_KEY": "s" * 40, "JWT_KEY": "j" * 40}


def test_in_production_somebody_has_decided_how_much_is_given_back_by_one(own_database):
    refused = serve(os.environ["DATABASE_URL"], own_database, **PRODUCTION)
    assert refused.returncode == 1
    assert "LARGE_REFUNDS is not set" in refused.stderr
    for decided in ("", "EUR=50.00"):
        assert serve(os.environ["DATABASE_URL"], own_database, **PRODUCTION, LARGE_REFUNDS=decided).returncode == 0


def test_in_production_it_refuses_a_shifted_clock(own_database):
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=own_database)) as admin:
        admin.execute("UPDATE ledger_clock SET shift = '1 hour'")

    assert serve(os.environ["DATABASE_URL"], own_database).returncode == 0
    assert "clock is shifted" in serve(os.environ["DATABASE_URL"], own_database, **PRODUCTION).stderr


def test_production_needs_keys_of_its_own():
    refused = subprocess.run(
        [sys.executable, "-c", "import walletplatform.settings"],
        env={"ENVIRONMENT": "production", "PATH": os.environ["PATH"], "DATA_DIR": "/nonexistent"},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "Set SECRET_KEY and JWT_KEY" in refused.stderr


@pytest.mark.parametrize("wrong", ["eur=50.00", "EUR=lots", "EUR=-1", "50.00", "EUR"])
def test_a_largest_refund_that_names_no_asset_or_no_amount_is_refused(wrong):
    refused = subprocess.run(
        [sys.executable, "-c", "import walletplatform.settings"],
        env=os.environ | {"LARGE_REFUNDS": wrong}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert refused.returncode == 1
    assert "write EUR=50.00,GEM=500" in refused.stderr


def test_the_clock_is_in_step():
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT shift::text FROM ledger_clock")
        assert cursor.fetchall() == [("00:00:00",)]
