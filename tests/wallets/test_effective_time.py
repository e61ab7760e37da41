"""Balances and statements by when things happened, beside those by when they were booked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from ledger.balances import span
from ledger.effective import effective_span
from tests.money import value

DAY = timedelta(days=1)
LONG_AGO = datetime(2026, 1, 10, 12, tzinfo=UTC)


def text(moment):
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="100.00")


@pytest.fixture
def backdated(shop, ann):
    """Paid now, but said to have happened on three days in January, not in their order."""
    bob = shop.wallet()
    for day, amount in ((3, "5.00"), (1, "7.00"), (2, "11.00")):
        paid = shop.pay(ann, bob, amount, effective_at=text(LONG_AGO + day * DAY))
        assert paid.status_code == 201
    shop.pay(ann, bob, "1.00")
    return bob


def balance(shop, wallet, moment, **more):
    query = "&".join([f"at={text(moment)}", *(f"{name}={one}" for name, one in more.items())])
    return shop.get(f"/wallets/{wallet}/balance?{query}").json()["balance"]


def test_a_balance_by_effective_time_counts_what_had_happened(shop, ann, backdated):
    days = [LONG_AGO + day * DAY for day in (0, 1, 2, 3)]

    assert [balance(shop, backdated, day, by="effective") for day in days] == ["0.00", "7.00", "18.00", "23.00"]
    assert [balance(shop, backdated, day) for day in days] == ["0.00"] * 4
    assert [balance(shop, ann, day, by="effective") for day in days] == ["0.00", "-7.00", "-18.00", "-23.00"]
    now = value("SELECT ledger_now()")
    assert balance(shop, backdated, now, by="effective") == balance(shop, backdated, now) == "24.00"


@pytest.mark.parametrize("by", ["booked", "effective"])
@pytest.mark.parametrize("until", [1, 2, 3, 4, None])
def test_a_statement_adds_up_at_any_cut(shop, backdated, by, until):
    to = f"&to={text(LONG_AGO + until * DAY)}" if until else ""

    shown = shop.get(f"/wallets/{backdated}/statement?by={by}{to}&from={text(LONG_AGO)}").json()

    changes = [Decimal(entry["amount"]) * (1 if entry["direction"] == "CREDIT" else -1) for entry in shown["entries"]]
    assert Decimal(shown["opening_balance"]) + sum(changes) == Decimal(shown["closing_balance"])
    assert shown["by"] == by
    before = shown["opening_balance"]
    for entry in shown["entries"]:
        assert entry["balance_before"] == before
        before = entry["balance_after"]


def test_a_statement_by_effective_time_is_in_its_order_and_cut_at_its_borders(shop, backdated):
    first, last = text(LONG_AGO + DAY), text(LONG_AGO + 3 * DAY)

    shown = shop.get(f"/wallets/{backdated}/statement?by=effective&from={first}&to={last}").json()
    after = shop.get(f"/wallets/{backdated}/statement?by=effective&from={last}").json()

    assert [entry["amount"] for entry in shown["entries"]] == ["7.00", "11.00"]
    assert (shown["opening_balance"], shown["closing_balance"]) == ("0.00", "18.00")
    assert [entry["amount"] for entry in after["entries"]] == ["5.00", "1.00"]
    assert (after["opening_balance"], after["closing_balance"]) == ("18.00", "24.00")
    assert [entry["balance_after"] for entry in after["entries"]] == ["23.00", "24.00"]


def test_a_statement_by_booked_time_keeps_to_booking(shop, backdated):
    shown = shop.get(f"/wallets/{backdated}/statement?by=booked").json()

    assert [entry["amount"] for entry in shown["entries"]] == ["5.00", "7.00", "11.00", "1.00"]
    assert [entry["seq"] for entry in shown["entries"]] == [1, 2, 3, 4]


def test_a_statement_by_effective_time_as_csv_says_the_same(shop, backdated):
    lines = shop.get(f"/wallets/{backdated}/statement?by=effective&from={text(LONG_AGO)}&format=csv")

    rows = [line.split(",") for line in b"".join(lines.streaming_content).decode().splitlines()]
    assert [row[6] for row in rows[2:-1]] == ["7.00", "11.00", "5.00", "1.00"]
    assert (rows[1][-1], rows[-1][-1]) == ("0.00", "24.00")


def adds_up(rows):
    """Whether a CSV statement's opening balance and lines come to its closing balance."""
    changes = [Decimal(row[6]) * (1 if row[5] == "CREDIT" else -1) for row in rows[2:-1]]
    return Decimal(rows[1][-1]) + sum(changes) == Decimal(rows[-1][-1])


def test_what_is_booked_into_the_span_while_it_streams_stays_out_of_it(shop, ann, backdated):
    answer = shop.get(f"/wallets/{backdated}/statement?by=effective&from={text(LONG_AGO)}&format=csv")
    lines = iter(answer.streaming_content)
    read = [next(lines), next(lines)]

    assert shop.pay(ann, backdated, "2.00", effective_at=text(LONG_AGO + 2 * DAY)).status_code == 201

    rows = [line.split(",") for line in b"".join([*read, *lines]).decode().splitlines()]
    assert [row[6] for row in rows[2:-1]] == ["7.00", "11.00", "5.00", "1.00"]
    assert adds_up(rows)


def test_a_statement_without_a_beginning_begins_with_what_happened_first(shop, ann, backdated):
    shown = shop.get(f"/wallets/{ann}/statement?by=effective").json()

    assert shown["from"] == shown["entries"][0]["effective_at"] == "2026-01-11T12:00:00.000000Z"
    assert shop.get(f"/wallets/{ann}/statement").json()["from"] > shown["from"]


@pytest.mark.parametrize("border", ["from", "to", "at"])
@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59-05:00"])
def test_the_ends_of_the_calendar_are_no_trouble(shop, ann, border, moment):
    page = "balance" if border == "at" else "statement"
    for by in ("booked", "effective"):
        answer = shop.get(f"/wallets/{ann}/{page}?by={by}&{border}={moment.replace('+', '%2B')}")
        assert answer.status_code in (200, 400), answer.content


def test_entries_booked_into_their_own_span_are_counted_once(shop, backdated):
    covered = span(account_id=UUID(backdated), since=None, until=None)

    assert effective_span(covered, since=LONG_AGO, until=None).most_entries == 4


@pytest.mark.parametrize(
    "query",
    ["by=effective", "by=lunch", "at=2026-01-01T00:00:00Z&by=", "at=2999-01-01T00:00:00Z&by=effective"],
)
def test_a_question_that_makes_no_sense_is_refused(shop, ann, query):
    assert shop.get(f"/wallets/{ann}/balance?{query}").status_code == 400
