"""A wallet's statement in the console: of some days, for whoever may see wallets, and as a file for whoever exports."""

from __future__ import annotations

import gc
from datetime import UTC, timedelta

import pytest
from django.db import connection
from django.urls import reverse

from ledger import clock
from tests.ops.staff import console, person, root
from walletplatform.audit.models import AuditEntry
from wallets.api.history import Download


@pytest.fixture
def wallet(shop):
    mine, other = shop.wallet(holding="50.00"), shop.wallet()
    shop.pay(mine, other, "12.50")
    return mine


def page(wallet, **period):
    address = reverse("admin:wallets_wallet_statement", args=[wallet])
    return address + ("?" + "&".join(f"{name}={day}" for name, day in period.items()) if period else "")


def today():
    return clock.now().astimezone(UTC).date()


def test_it_tells_what_was_before_what_came_and_went_and_what_is_left(wallet):
    yesterday, tomorrow = (today() + timedelta(days=days) for days in (-1, 1))
    shown = console(person("support")).get(page(wallet, since=yesterday, until=tomorrow)).text
    assert "0.00 before, 50.00 in, 12.50 out" in shown
    assert '<div class="ops-amount">37.50 EUR</div>' in shown
    assert '<td class="ops-figure">12.50</td><td class="ops-figure">37.50</td>' in shown
    assert "Take it as CSV" not in shown


def test_it_begins_with_this_month(wallet):
    first, http = today().replace(day=1), console(person("viewer"))
    shown = http.get(page(wallet)).text
    assert f'name="since" value="{first}"' in shown
    assert "Balance at the end" in shown


def test_days_on_which_nothing_moved_say_so(wallet):
    before = today() - timedelta(days=40)
    shown = console(person("support")).get(page(wallet, since=before, until=before)).text
    assert "Nothing moved on these days." in shown
    assert "0.00 before, 0.00 in, 0.00 out" in shown


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("2026-02-01", "2026-01-01", "It would end before it begins."),
        ("9999-12-31", "9999-12-31", "That day has not come yet."),
        ("0001-01-01", "9999-12-31", "Balance at the end"),
        ("", "", "This field is required."),
        ("yesterday", "2026-01-01", "Enter a valid date."),
        ("2026-01-01%00", "2026-01-01", "Enter a valid date."),
        ("2026-02-30", "2026-03-01", "Enter a valid date."),
    ],
)
def test_days_that_cannot_be_are_told(wallet, since, until, words):
    answer = console(person("support")).get(page(wallet, since=since, until=until))
    assert answer.status_code == 200
    assert words in answer.text


def test_a_long_one_is_for_a_file(wallet, monkeypatch):
    monkeypatch.setattr("ops.wallet_statement.MOST_SHOWN", 1)
    shown = console(person("finance")).get(page(wallet)).text
    assert "2 entries are more than a page shows" in shown
    assert "Take it as CSV" in shown
    assert "Balance at the end" not in shown


def test_the_file_is_that_of_the_api_and_on_record(shop, wallet):
    since, until = (str(day) for day in (today() - timedelta(days=1), today()))
    answer = console(person("finance")).post(page(wallet), {"since": since, "until": until})
    assert answer["Content-Disposition"] == f'attachment; filename="statement-{wallet}-{since}-{until}.csv"'
    lines = b"".join(answer.streaming_content).decode().splitlines()
    of_the_api = shop.get(f"/wallets/{wallet}/statement?format=csv")
    assert lines[2:4] == b"".join(of_the_api.streaming_content).decode().splitlines()[2:4]
    assert lines[-1].split(",")[-1] == "37.50"
    entry = AuditEntry.objects.get(action="wallet.statement", object_id=str(wallet))
    assert entry.after == {"since": since, "until": until, "entries": 2}


@pytest.mark.parametrize(("role", "status"), [("support", 403), ("viewer", 403)])
def test_who_may_not_export_gets_no_file_and_leaves_no_record(wallet, role, status):
    answer = console(person(role)).post(page(wallet), {"since": today(), "until": today()})
    assert answer.status_code == status
    assert not AuditEntry.objects.filter(action="wallet.statement", object_id=str(wallet)).exists()


def test_a_file_up_to_a_day_to_come_is_named_and_on_record_as_of_today(wallet):
    given = {"since": today() - timedelta(days=1), "until": today() + timedelta(days=400)}
    answer = console(person("finance")).post(page(wallet), given)
    answer.close()
    entry = AuditEntry.objects.get(action="wallet.statement", object_id=str(wallet))
    assert entry.after["until"] in (str(today()), str(today() - timedelta(days=1)))
    assert answer["Content-Disposition"].endswith(f'{entry.after["until"]}.csv"')


def test_where_it_cannot_be_put_on_record_there_is_no_file_and_its_place_is_free_again(wallet, monkeypatch):
    def fail(**record):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    monkeypatch.setattr("ops.wallet_statement.record", fail)
    user = person("finance")
    http, given = console(user), {"since": today() - timedelta(days=1), "until": today()}
    gc.disable()
    try:
        assert [http.post(page(wallet), given).status_code for _ in range(3)] == [500] * 3
        assert Download.places.taken[user.pk] == 0
    finally:
        gc.enable()


def test_a_day_ends_at_its_midnight_though_the_wallet_is_free_only_later(wallet, monkeypatch):
    """As by a server whose clock is a day behind: what comes after the day is none of it."""
    monkeypatch.setattr("ops.wallet_statement.now", lambda: clock.now() - timedelta(days=1))
    yesterday = today() - timedelta(days=1)
    shown = console(person("support")).get(page(wallet, since=yesterday, until=yesterday)).text
    assert "0.00 before, 0.00 in, 0.00 out" in shown


def test_a_file_is_of_days_that_were_named(wallet):
    assert "This field is required." in console(person("finance")).post(page(wallet)).text
    assert not AuditEntry.objects.filter(action="wallet.statement", object_id=str(wallet)).exists()


def test_a_wallet_that_there_is_not_has_none(wallet):
    assert console(root()).get(page("00000000-0000-7000-8000-000000000000")).status_code == 404
