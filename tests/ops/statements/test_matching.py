"""Statements are matched with the account that mirrors them, by the surest rule, and nothing twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction

from ledger.models import Entry
from ops.statements.importing import import_file
from ops.statements.matching import match_source
from ops.statements.models import MatchedEntry, StatementException, StatementLine, StatementMatch
from tests.ledger.test_database_rules import connect
from tests.money import snapshot, value
from tests.ops.statements.files import csv_file, days_ago, source
from walletplatform.audit.actors import of_command


def take(bank, lines):
    [statement] = import_file(
        actor=of_command(), source=bank, file_name=f"{uuid4().hex}.csv", content=csv_file(bank.asset_id, lines)
    )
    return statement


@pytest.fixture
def bank(rare_asset):
    return source(rare_asset)


def topped(shop, asset, amount, *, key=None, effective_at=None):
    wallet = shop.wallet(asset)
    body = {"wallet_id": wallet, "amount": amount} | ({"effective_at": effective_at} if effective_at else {})
    answer = shop.post("/topups", body, key=key or uuid4().hex)
    assert answer.status_code == 201, answer.content
    return answer.json()["id"]


def matches(bank):
    return [
        (one.rule, one.confidence, one.difference, one.lines.count(), one.entries.count())
        for one in StatementMatch.objects.filter(source=bank).order_by("id")
    ]


def told(bank):
    found = StatementException.objects.filter(source=bank).order_by("id")
    return [(one.reason, one.state, one.direction, one.amount, one.expected) for one in found]


def test_a_line_that_names_the_payment_is_its_entry(shop, bank, rare_asset):
    by_id = topped(shop, rare_asset, "12.50")
    topped(shop, rare_asset, "7.00", key="INV-2026-17")
    statement = take(bank, [
        {"amount": "12.50", "reference": f"your ref {by_id.upper()}"}, {"amount": "7.00", "reference": "INV-2026-17"},
    ])  # fmt: skip
    before = snapshot()

    outcome = match_source(bank.pk)

    assert (outcome.lines, outcome.entries, outcome.exceptions) == (2, 2, 0)
    assert matches(bank) == [("reference", 100, 0, 1, 1)] * 2
    statement.refresh_from_db()
    assert statement.matched == 2
    assert snapshot() == before


def test_what_names_nothing_is_matched_by_amount_and_nearest_day(shop, bank, rare_asset):
    topped(shop, rare_asset, "5.00")
    take(bank, [{"amount": "5.00", "day": days_ago(2)}, {"amount": "5.00", "day": days_ago(1)}])

    match_source(bank.pk)

    assert matches(bank) == [("amount", 60, 0, 1, 1)]
    assert StatementLine.objects.get(source=bank, open=False).booked_on == days_ago(1)
    assert told(bank) == [("missing_in_ledger", "OPEN", "CREDIT", 500, None)]


def test_amounts_within_the_tolerance_are_a_pair_and_say_what_they_are_apart(shop, rare_asset):
    bank = source(rare_asset, tolerance=5)
    named, _ = topped(shop, rare_asset, "10.00"), topped(shop, rare_asset, "20.00")
    take(bank, [{"amount": "9.97", "reference": named}, {"amount": "20.04"}, {"amount": "20.06"}])

    match_source(bank.pk)

    assert matches(bank) == [("reference_near", 90, -3, 1, 1), ("amount_near", 65, 4, 1, 1)]


def test_one_line_is_several_entries_and_several_lines_are_one_entry(shop, bank, rare_asset):
    for amount in ("1.00", "2.50", "4.25", "100.00"):
        topped(shop, rare_asset, amount)
    take(bank, [{"amount": "7.75"}, {"amount": "60.00"}, {"amount": "40.00"}, {"amount": "0.99", "day": days_ago(3)}])

    match_source(bank.pk)

    assert sorted(matches(bank)) == [("several_entries", 50, 0, 1, 3), ("several_lines", 75, 0, 2, 1)]


def test_what_could_be_either_of_two_sums_is_left_to_a_person(shop, bank, rare_asset):
    for amount in ("1.00", "2.00", "2.00", "50.00"):
        topped(shop, rare_asset, amount)
    take(bank, [{"amount": "3.00"}])

    match_source(bank.pk)

    assert matches(bank) == []


def test_each_kind_of_exception_is_told_once_its_time_has_come(shop, bank, rare_asset):
    old = f"{days_ago(4)}T12:00:00Z"
    twice = topped(shop, rare_asset, "3.00", effective_at=old)
    differs = topped(shop, rare_asset, "8.00", effective_at=old)
    topped(shop, rare_asset, "9.00", effective_at=old)
    topped(shop, rare_asset, "11.00")
    line = {"day": days_ago(4)}
    take(bank, [
        line | {"amount": "3.00", "reference": twice}, line | {"amount": "3.00", "reference": twice},
        line | {"amount": "8.01", "reference": differs}, line | {"amount": "-2.00"}, {"amount": "6.00"},
    ])  # fmt: skip

    first, again = match_source(bank.pk), match_source(bank.pk)

    assert sorted(told(bank)) == [
        ("amount_differs", "OPEN", "CREDIT", 801, 800),
        ("duplicate_outside", "OPEN", "CREDIT", 300, 300),
        ("missing_in_ledger", "OPEN", "DEBIT", 200, None),
        ("missing_outside", "OPEN", "CREDIT", 900, None),
    ]
    assert (first.exceptions, again.exceptions, again.lines) == (4, 0, 0)


def test_what_comes_later_settles_what_was_left(shop, bank, rare_asset):
    old = f"{days_ago(5)}T12:00:00Z"
    topped(shop, rare_asset, "9.00", effective_at=old)
    take(bank, [{"amount": "4.00", "day": days_ago(5)}])
    match_source(bank.pk)
    assert {reason for reason, *_ in told(bank)} == {"missing_in_ledger", "missing_outside"}

    topped(shop, rare_asset, "4.00", effective_at=old)
    take(bank, [{"amount": "9.00", "day": days_ago(4)}])
    match_source(bank.pk)

    assert {state for _, state, *_ in told(bank)} == {"MATCHED"}
    assert len(matches(bank)) == 2


def test_runs_beside_each_other_match_nothing_twice(shop, bank, rare_asset):
    for _ in range(6):
        topped(shop, rare_asset, "1.00")
    take(bank, [{"amount": "1.00"}] * 6)

    def run(_):
        try:
            return match_source(bank.pk).lines
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [0, 0, 0, 6]
    assert len(matches(bank)) == 6


def test_the_database_keeps_an_entry_and_a_line_from_a_second_match(shop, bank, rare_asset):
    topped(shop, rare_asset, "1.00")
    take(bank, [{"amount": "1.00"}])
    match_source(bank.pk)
    entry = Entry.objects.get(account_id=bank.account_id)
    match = StatementMatch.objects.get(source=bank)

    with pytest.raises(IntegrityError), transaction.atomic():
        MatchedEntry.objects.create(entry_id=entry.pk, match=match)
    for statement in (
        "UPDATE statement_lines SET amount = 2", "DELETE FROM statement_lines", "TRUNCATE statements CASCADE",
        "UPDATE statement_matches SET confidence = 1", "DELETE FROM statement_match_entries",
    ):  # fmt: skip
        with connect("owner") as owner, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            owner.execute(statement)
    assert value("SELECT count(*) FROM statement_match_entries WHERE entry_id = %s", entry.pk) == 1
