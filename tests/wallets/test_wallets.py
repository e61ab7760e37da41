"""Wallets: opened, found, moved through their life, told truly at any moment."""

import csv
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection, connections

from tests.actors import actor
from tests.money import rows, snapshot
from wallets import statements


def test_a_wallet_is_opened_with_what_was_asked_for(shop, ann):
    answer = shop.post(
        "/wallets",
        {"user_id": str(ann.id), "asset": "EUR", "label": "Savings", "metadata": {"tier": "gold"}},
    )

    wallet = answer.json()
    assert answer.status_code == 201
    assert {name: wallet[name] for name in wallet if name not in ("id", "created_at", "updated_at")} == {
        "user_id": str(ann.id),
        "asset": "EUR",
        "status": "CREATED",
        "label": "Savings",
        "metadata": {"tier": "gold"},
        "balance": "0.00",
        "held": "0.00",
        "available": "0.00",
        "version": 1,
    }
    assert shop.get(f"/wallets/{wallet['id']}").json() == wallet
    assert ann.get(f"/wallets/{wallet['id']}").json() == wallet
    assert rows("SELECT type FROM outbox_events WHERE subject = %s", wallet["id"]) == [("wallet.created",)]


@pytest.mark.parametrize(
    "change",
    [
        {"asset": "XXX"}, {"asset": 7}, {"user_id": "ann"}, {"user_id": None}, {"label": "x" * 81},
        {"activate": "yes"}, {"activate": 1}, {"balance": "100"}, {"status": "ACTIVE"}, {"metadata": "x"},
    ],
    ids=str,
)  # fmt: skip
def test_a_wrong_wish_opens_no_wallet(shop, change):
    before = snapshot()

    answer = shop.post("/wallets", {"user_id": str(uuid4()), "asset": "EUR"} | change)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/" + next(iter(change))]
    assert snapshot() == before


LIFE = {
    "CREATED": {"ACTIVE"},
    "ACTIVE": {"SUSPENDED"},
    "SUSPENDED": {"ACTIVE", "CLOSED"},
    "CLOSED": set(),
}
WAY_TO = {
    "CREATED": [],
    "ACTIVE": ["ACTIVE"],
    "SUSPENDED": ["ACTIVE", "SUSPENDED"],
    "CLOSED": ["ACTIVE", "SUSPENDED", "CLOSED"],
}


@pytest.mark.parametrize("target", ["ACTIVE", "SUSPENDED", "CLOSED"])
@pytest.mark.parametrize("state", LIFE)
def test_a_wallet_moves_along_its_life_only(shop, state, target):
    wallet = shop.post("/wallets", {"user_id": str(uuid4()), "asset": "EUR"}).json()["id"]
    for step in WAY_TO[state]:
        assert shop.set_status(wallet, step).status_code == 200
    before = snapshot()

    answer = shop.set_status(wallet, target)

    if (state, target) == ("SUSPENDED", "ACTIVE"):
        # By two people: asked for here, decided by somebody else.
        assert (answer.status_code, answer.json()["action"]) == (202, "wallet.activate")
        assert snapshot() == before
    elif target in LIFE[state]:
        assert (answer.status_code, answer.json()["status"]) == (200, target)
    else:
        assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
        assert answer.json()["current_state"] == state
        assert snapshot() == before


def test_each_move_is_told_with_its_reason(shop):
    wallet = shop.wallet()
    shop.set_status(wallet, "SUSPENDED")
    shop.set_status(wallet, "CLOSED")

    events = rows("SELECT type, data::json->>'reason' FROM outbox_events WHERE subject = %s ORDER BY id", wallet)

    assert events == [
        ("wallet.created", None), ("wallet.activated", None), ("wallet.suspended", "test"), ("wallet.closed", "test"),
    ]  # fmt: skip


def test_a_wallet_with_money_cannot_be_closed(shop):
    wallet = shop.wallet(holding="0.01")
    shop.set_status(wallet, "SUSPENDED")

    answer = shop.set_status(wallet, "CLOSED")

    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "SUSPENDED"


def test_a_change_of_status_names_the_version_it_is_based_on(shop):
    wallet = shop.wallet()
    body = {"status": "SUSPENDED", "reason": "Reported stolen"}
    path = f"/wallets/{wallet}/status"
    etag = shop.get(f"/wallets/{wallet}")["ETag"]

    missing = shop.send("PATCH", path, body)
    stale = shop.send("PATCH", path, body, If_Match='"7"')
    done = shop.send("PATCH", path, body, If_Match=etag)
    again = shop.send("PATCH", path, body, If_Match=etag)

    assert [a.status_code for a in (missing, stale, done, again)] == [428, 412, 200, 412]
    assert done["ETag"] != etag
    assert [a.json()["code"] for a in (missing, stale)] == ["precondition_required", "precondition_failed"]


def test_of_two_changes_at_once_based_on_one_version_one_is_made(shop):
    wallet = shop.wallet()

    def change(_: int) -> int:
        try:
            body = {"status": "SUSPENDED", "reason": "race"}
            return int(shop.send("PATCH", f"/wallets/{wallet}/status", body, If_Match='"1"').status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(change, range(8))) == [200] + [412] * 7


def test_an_end_user_changes_no_status(shop, ann):
    wallet = shop.wallet(owner=ann.id)

    assert ann.set_status(wallet, "SUSPENDED").status_code == 403


@pytest.mark.parametrize("path", ["", "/balance", "/entries", "/transactions", "/statement", "/statement?format=csv"])
def test_anothers_wallet_does_not_exist_for_a_user(shop, ann, mallory, path):
    wallet = shop.wallet(owner=ann.id)

    assert mallory.get(f"/wallets/{wallet}{path}").status_code == 404
    answer = ann.get(f"/wallets/{wallet}{path}")
    answer.close()  # a file's place is kept until then
    assert answer.status_code == 200


def test_wallets_are_listed_by_user_asset_and_status(shop, ann):
    euros, gems = shop.wallet("EUR", owner=ann.id), shop.wallet("GEM", owner=ann.id)
    shop.set_status(gems, "SUSPENDED")

    def listed(query: str) -> list[str]:
        return [wallet["id"] for wallet in shop.get(f"/wallets?user_id={ann.id}{query}").json()["data"]]

    assert listed("") == [gems, euros]
    assert listed("&asset=EUR") == [euros]
    assert listed("&status=SUSPENDED") == [gems]
    assert [wallet["id"] for wallet in ann.get("/wallets").json()["data"]] == [gems, euros]


def test_a_users_balances_are_summed_by_asset(shop, ann, mallory):
    for holding in ("1.00", "2.50"):
        shop.wallet("EUR", owner=ann.id, holding=holding)
    shop.wallet("GEM", owner=ann.id, holding="7")

    answer = ann.get(f"/users/{ann.id}/balances").json()

    assert answer["balances"] == [
        {"asset": "EUR", "balance": "3.50", "held": "0.00", "available": "3.50", "wallets": 2},
        {"asset": "GEM", "balance": "7", "held": "0", "available": "7", "wallets": 1},
    ]
    assert mallory.get(f"/users/{ann.id}/balances").status_code == 404
    assert shop.get(f"/users/{uuid4()}/balances").json()["balances"] == []


@pytest.fixture
def history(shop):
    """A wallet with ten movements, and the moment of each."""
    wallet, other = shop.wallet(), shop.wallet()
    moments = []
    for number in range(1, 11):
        if number % 3:
            answer = shop.post("/topups", {"wallet_id": wallet, "amount": f"{number}.00"})
        else:
            answer = shop.pay(wallet, other, "1.50")
        moments.append(answer.json()["created_at"])
    return wallet, moments


def test_a_balance_is_told_as_it_stood_at_any_moment(shop, history):
    wallet, moments = history
    entries = shop.get(f"/wallets/{wallet}/entries").json()["data"][::-1]

    for moment, entry in zip(moments, entries, strict=True):
        before = (datetime.fromisoformat(moment) - timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
        assert shop.get(f"/wallets/{wallet}/balance?at={moment}").json()["balance"] == entry["balance_after"]
        assert shop.get(f"/wallets/{wallet}/balance?at={before}").json()["balance"] == entry["balance_before"]
    assert shop.get(f"/wallets/{wallet}/balance?at=2020-01-01T00:00:00Z").json()["balance"] == "0.00"


def test_each_entry_begins_where_the_one_before_ended(shop, history):
    wallet, _ = history
    entries = shop.get(f"/wallets/{wallet}/entries").json()["data"][::-1]

    assert [entry["seq"] for entry in entries] == list(range(1, 11))
    assert [e["balance_before"] for e in entries] == ["0.00", *(e["balance_after"] for e in entries[:-1])]
    assert entries[-1]["balance_after"] == shop.balance(wallet)


def test_a_statement_adds_up_at_every_cut(shop, history):
    wallet, moments = history
    closing = "0.00"

    for begin, end in zip(["2020-01-01T00:00:00Z", *moments], [*moments, None], strict=True):
        until = f"&to={end}" if end else ""
        statement = shop.get(f"/wallets/{wallet}/statement?from={begin}{until}").json()
        total = sum(Decimal(e["amount"]) * (1 if e["direction"] == "CREDIT" else -1) for e in statement["entries"])
        assert statement["opening_balance"] == closing
        closing = statement["closing_balance"]
        assert Decimal(statement["opening_balance"]) + total == Decimal(closing)
    assert closing == shop.balance(wallet)


def test_a_statement_as_csv_says_the_same_as_json(shop, history):
    wallet, moments = history
    span = f"from={moments[2]}&to={moments[7]}"
    statement = shop.get(f"/wallets/{wallet}/statement?{span}").json()

    answer = shop.get(f"/wallets/{wallet}/statement?{span}&format=csv")

    lines = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    assert (lines[0]["kind"], lines[0]["balance_after"]) == ("opening", statement["opening_balance"])
    assert (lines[-1]["kind"], lines[-1]["balance_after"]) == ("closing", statement["closing_balance"])
    assert [line["transaction_id"] for line in lines[1:-1]] == [e["transaction_id"] for e in statement["entries"]]


def test_files_that_nobody_reads_on_are_few_and_leave_room_for_other_callers(shop, history):
    wallet, other = history[0], actor("client")
    asked = f"/wallets/{wallet}/statement?format=csv"
    unread = [shop.get(asked), shop.get(asked)]

    refused = shop.get(asked)
    unread += [other.get(asked), other.get(asked)]
    full = actor("client").get(asked)

    assert [answer.status_code for answer in unread] == [200] * 4
    assert [(one.status_code, one.json()["code"]) for one in (refused, full)] == [(503, "overloaded")] * 2
    assert shop.get(asked.replace("csv", "json")).status_code == 200
    unread[0].close()
    b"".join(unread[1].streaming_content)
    assert [b"closing" in b"".join(shop.get(asked).streaming_content) for _ in range(5)] == [True] * 5
    for answer in unread:
        answer.close()


@pytest.mark.parametrize("by", ["booked", "effective"])
def test_a_file_that_nobody_reads_on_keeps_no_connection(shop, history, by):
    wallet, moments = history
    answer = shop.get(f"/wallets/{wallet}/statement?format=csv&by={by}&from={moments[0]}")
    lines = iter(answer.streaming_content)
    for _ in range(3):
        next(lines)

    assert connection.connection is None
    assert b"".join(lines).endswith(b"\r\n")


def test_a_file_that_is_read_too_slowly_ends_and_says_so(monkeypatch, shop, history):
    monkeypatch.setattr(statements, "CSV_SECONDS", -1.0)

    answer = shop.get(f"/wallets/{history[0]}/statement?format=csv")

    last = b"".join(answer.streaming_content).decode().splitlines()[-1]
    assert last == ",,,,incomplete,,,"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("balance?at=soon", "/at"), ("balance?at=2026-01-01T00:00:00", "/at"), ("balance?at={ahead}", "/at"),
        ("statement?to={ahead}", "/to"), ("statement?from={ahead}", "/to"), ("statement?format=pdf", "/format"),
        ("statement?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", "/from"), ("entries?at=1", "/at"),
    ],
)  # fmt: skip
def test_a_moment_that_makes_no_sense_is_refused(shop, path, pointer):
    wallet = shop.wallet(holding="1.00")
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat().replace("+00:00", "Z")

    answer = shop.get(f"/wallets/{wallet}/" + path.format(ahead=ahead))

    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


@pytest.mark.parametrize("query", ["from=0001-01-01T00:00:00Z", "to=0001-01-01T00:00:00Z", "from=1969-01-01T00:00:00Z"])
def test_a_statement_of_before_there_was_anything_is_empty_or_whole(shop, query):
    wallet = shop.wallet(holding="1.00")

    statement = shop.get(f"/wallets/{wallet}/statement?{query}").json()

    assert statement["opening_balance"] == "0.00"
    assert statement["closing_balance"] == ("0.00" if query.startswith("to") else "1.00")


def test_the_moment_of_a_balance_tells_the_same_balance(shop):
    wallet = shop.wallet(holding="5.00")
    now = shop.get(f"/wallets/{wallet}/balance").json()

    assert shop.get(f"/wallets/{wallet}/balance?at={now['at']}").json()["balance"] == now["balance"]


def test_a_clock_set_back_hides_nothing_that_was_booked(shop, rare_asset):
    ann, bob = shop.wallet(rare_asset), shop.wallet(rare_asset)
    with connections["owner"].cursor() as owner:
        owner.execute("UPDATE ledger_clock SET shift = '1 hour'")
        try:
            shop.post("/topups", {"wallet_id": ann, "amount": "5.00"})
        finally:
            owner.execute("UPDATE ledger_clock SET shift = '0'")
    shop.pay(ann, bob, "2.00")

    statement = shop.get(f"/wallets/{bob}/statement").json()

    at = shop.get(f"/wallets/{bob}/balance").json()["at"]
    assert statement["closing_balance"] == "2.00"
    assert shop.get(f"/wallets/{bob}/balance?at={at}").json()["balance"] == "2.00"
