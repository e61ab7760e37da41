"""``verify_ledger`` finds what is wrong and names the place; a superuser plants it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connections

from ledger import verification
from ledger.verification import Check
from tests.conftest import ROOT, admin_url, drop_database, make_database, use_database

PLANTS = {
    "an entry's amount": (
        "UPDATE ledger_entries SET amount = amount + 1 WHERE transaction_id = '{payment}' AND leg = 1",
        ["{payment}", "{ann}"],
    ),
    "an entry's direction": (
        "UPDATE ledger_entries SET direction = 'CREDIT' WHERE transaction_id = '{payment}' AND leg = 1",
        ["{payment}", "{ann}"],
    ),
    "an entry moved to another account": (
        "UPDATE ledger_entries SET account_id = '{bob}', seq = 9 WHERE transaction_id = '{payment}' AND leg = 1",
        ["{ann}", "{bob}"],
    ),
    "an entry deleted": (
        "DELETE FROM ledger_entries WHERE transaction_id = '{payment}' AND leg = 2",
        ["{payment}", "{bob}"],
    ),
    "a transaction deleted": ("DELETE FROM transactions WHERE id = '{payment}'", ["{payment}"]),
    "both entries deleted": (
        "DELETE FROM ledger_entries WHERE transaction_id = '{payment}'",
        ["{payment}", "{ann}", "{bob}"],
    ),
    "a balance": ("UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'", ["{ann}"]),
    "a held amount": ("UPDATE accounts SET held = 1 WHERE id = '{ann}'", ["{ann}"]),
    "a seq": ("UPDATE accounts SET seq = seq + 1 WHERE id = '{ann}'", ["{ann}"]),
    "a balance after": (
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE transaction_id = '{payment}' AND leg = 1",
        ["{ann}"],
    ),
    "a status": ("UPDATE payments SET status = 'FAILED' WHERE id = '{payment}'", ["{payment}"]),
    "a payment's amount": ("UPDATE payments SET amount = amount + 1 WHERE id = '{payment}'", ["{payment}"]),
    "a payment deleted": ("DELETE FROM payments WHERE id = '{payment}'", ["{payment}"]),
    "a key deleted": ("DELETE FROM idempotency_keys WHERE resource_id = '{payment}'", ["{payment}"]),
    "an event deleted": ("DELETE FROM outbox_events WHERE subject = '{payment}'", ["{payment}"]),
    "an account opened": ("UPDATE accounts SET open = false WHERE id = '{ann}'", ["{ann}"]),
    "a time of booking": (
        "UPDATE transactions SET booked_at = '2000-01-02', effective_at = '2000-01-01' WHERE id = '{payment}'",
        ["{ann}"],
    ),
}


@pytest.fixture
def own_database(database, shop):
    """A database to spoil: with two wallets, and a payment between them."""
    name = f"verify_{os.getpid()}"
    make_database(name)
    use_database(name)
    try:
        from ledger.assets import create_asset

        create_asset(code="EUR", name="Euro", kind="fiat", scale=2)
        ann, bob = shop.wallet(holding="10.00"), shop.wallet()
        payment = shop.pay(ann, bob, "4.00").json()["id"]
        yield {"name": name, "ann": ann, "bob": bob, "payment": payment}
    finally:
        use_database(database)
        drop_database(name)


def verify(name: str) -> subprocess.CompletedProcess[str]:
    parts = connections["default"].settings_dict
    url = f"postgresql://{parts['USER']}:{parts['PASSWORD']}@{parts['HOST']}:{parts['PORT']}/{name}"
    return subprocess.run(
        [sys.executable, "manage.py", "verify_ledger"],
        env=os.environ | {"DATABASE_URL": url}, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_right_ledger_is_said_to_be_right(own_database):
    done = verify(own_database["name"])

    assert done.returncode == 0
    assert "The ledger is right." in done.stdout


@pytest.mark.parametrize("plant", PLANTS)
def test_what_is_wrong_is_found_and_its_place_named(own_database, plant):
    sql, places = PLANTS[plant]
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=own_database["name"])) as admin:
        # What only a superuser can do: past every trigger, constraint trigger and foreign key.
        admin.execute("SET session_replication_role = replica")
        admin.execute(sql.format(**own_database))

    done = verify(own_database["name"])

    assert done.returncode == 1
    assert "The ledger is NOT right" in done.stdout
    for place in places:
        assert place.format(**own_database) in done.stdout


def test_all_checks_see_one_moment_whatever_is_paid_meanwhile_and_take_their_time(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    count = Check("M1", "how many transactions", "SELECT 'now', count(*)::text FROM transactions")
    limit = Check("M1", "no limit of time", "SELECT 'limit', current_setting('statement_timeout')")
    seen = []

    with ThreadPoolExecutor(1) as other:
        for _, [finding] in verification.verify([count, count, limit]):
            seen.append(finding.detail)
            other.submit(shop.pay, ann, bob, "1.00").result()

    assert seen[0] == seen[1]
    assert seen[2] == "0"
