"""Failures by code, category, client, wallet and hour: right counts, in any window, for whom may see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ledger import clock
from ops.failures.analysis import Chosen, add_amounts, analyse, change, examples
from ops.failures.models import PEOPLE, ClientFigure, FailedPayment
from ops.windows import Window
from tests.actors import actor
from tests.ops.failures import fail, known, read_failures
from walletplatform.api.times import time_text

NOON = datetime(2026, 3, 11, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def counted(analysis, dimension):
    return {group.key: group.failures for group in analysis.groups[dimension]}


def test_a_declined_payment_is_analysed_by_whom_it_concerns_and_who_asked(shop, rare_asset):
    client = known(shop)
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)
    shop.pay(ann, bob, "4.00")
    failed = shop.pay(ann, bob, "50.00").json()["payment_id"]
    shop.set_status(bob, "SUSPENDED")
    topup = shop.post("/topups", {"wallet_id": bob, "amount": "2.00"}).json()["payment_id"]
    read_failures()

    told = FailedPayment.objects.get(payment_id=failed)
    assert (told.kind, told.code, told.category) == ("transfer", "insufficient_funds", "customer")
    assert (told.client_id, str(told.wallet_id), told.amount) == (client, ann, 5000)
    assert str(FailedPayment.objects.get(payment_id=topup).wallet_id) == bob
    day = ClientFigure.objects.filter(client_id=client, asset=rare_asset, span="day")
    assert set(day.values_list("outcome", "payments", "amount")) == {("settled", 2, 1400), ("failed", 2, 5200)}


def test_what_people_ask_for_is_nobodys_client(shop, ann, rare_asset):
    mine, other = shop.wallet(rare_asset, owner=ann.id), shop.wallet(rare_asset)
    failed = ann.pay(mine, other, "1.00").json()["payment_id"]
    read_failures()

    assert FailedPayment.objects.get(payment_id=failed).client_id == PEOPLE


def test_groups_are_counted_beside_the_window_before_and_the_week_before(rare_asset):
    client, wallet = uuid4(), uuid4()
    in_window = [
        fail(rare_asset, NOON, "insufficient_funds", client=client, wallet=wallet, amount=200),
        fail(rare_asset, NOON + 2 * HOUR, "insufficient_funds", client=client, amount=300),
        fail(rare_asset, NOON + 2 * HOUR, "wallet_not_active", wallet=wallet, amount=50),
    ]
    fail(rare_asset, NOON + 3 * HOUR, "insufficient_funds")
    fail(rare_asset, NOON - HOUR / 2, "insufficient_funds")
    fail(rare_asset, NOON - timedelta(days=7), "insufficient_funds")
    fail(rare_asset, NOON - timedelta(days=7, seconds=1), "insufficient_funds")

    window = Window(NOON, NOON + 3 * HOUR)
    found = analyse(window=window, by=["code", "category", "client", "wallet", "hour"], chosen=Chosen([rare_asset]))

    assert (found.total.failures, found.total.previous, found.total.week_before) == (3, 1, 1)
    for dimension in found.groups:
        add_amounts(found, dimension)
    assert found.total.amounts == {rare_asset: 550}
    assert counted(found, "code") == {"insufficient_funds": 2, "wallet_not_active": 1}
    assert counted(found, "category") == {"customer": 3}
    assert counted(found, "client") == {str(client): 2, str(PEOPLE): 1}
    assert counted(found, "wallet") == {str(wallet): 2}
    assert counted(found, "hour") == {"2026-03-11T12:00:00Z": 1, "2026-03-11T14:00:00Z": 2}
    funds = found.groups["code"][0]
    assert (funds.previous, funds.week_before, funds.amounts) == (1, 1, {rare_asset: 500})
    assert (funds.first_seen, funds.last_seen) == (NOON, NOON + 2 * HOUR)
    noon = next(group for group in found.groups["hour"] if group.key == "2026-03-11T12:00:00Z")
    assert (noon.week_before, noon.amounts) == (1, {rare_asset: 200})
    assert examples(found, "code")["insufficient_funds"] == [in_window[1], in_window[0]]
    assert examples(found, "hour")["2026-03-11T12:00:00Z"] == [in_window[0]]


@pytest.mark.parametrize(
    ("chosen", "failures"),
    [({}, 3), ({"code": "payment_denied"}, 1), ({"client": UUID(int=7)}, 2), ({"wallet": UUID(int=8)}, 1)],
)
def test_a_part_of_the_failures_is_chosen(rare_asset, chosen, failures):
    fail(rare_asset, NOON, "payment_denied", client=UUID(int=7))
    fail(rare_asset, NOON, "invalid_state", client=UUID(int=7), wallet=UUID(int=8))
    fail(rare_asset, NOON, "invalid_state")

    found = analyse(window=Window(NOON, NOON + HOUR), by=["code"], chosen=Chosen(assets=[rare_asset], **chosen))

    assert found.total.failures == sum(counted(found, "code").values()) == failures


def test_the_largest_groups_are_kept_and_it_is_told_that_there_are_more(rare_asset):
    for number in range(3):
        fail(rare_asset, NOON, "invalid_state", wallet=uuid4(), times=3 - number)

    found = analyse(window=Window(NOON, NOON + HOUR), by=["wallet", "code"], chosen=Chosen([rare_asset]), limit=2)

    assert list(counted(found, "wallet").values()) == [3, 2]
    assert found.more == {"wallet"}
    assert found.total.failures == 6


def test_an_empty_window_is_no_error(rare_asset):
    found = analyse(window=Window(NOON, NOON + HOUR), by=["code", "hour"], chosen=Chosen([rare_asset]))

    assert (found.total.failures, found.total.first_seen, found.groups) == (0, None, {"code": [], "hour": []})
    assert change(0, 0) is None
    assert change(3, 2) == 0.5


def ask(who, **query):
    answer = who.get("/failures/analysis?" + "&".join(f"{name}={value}" for name, value in query.items()))
    return answer.status_code, answer.json()


def test_the_analysis_over_http_is_of_the_assets_that_a_client_sees(shop, rare_asset):
    known(shop)
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)
    failed = [shop.pay(ann, bob, "50.00").json()["payment_id"] for _ in range(2)]
    read_failures()

    bound = actor("client", assets=frozenset({rare_asset}))
    status, found = ask(bound)
    assert (status, found["by"], found["total"]["failures"], found["has_more"]) == (200, "code", 2, False)
    assert found["total"]["amounts"] == [{"asset": rare_asset, "amount": "100.00"}]
    [group] = found["groups"]
    assert (group["key"], group["title"], group["share"]) == ("insufficient_funds", "Insufficient funds", "1.0000")
    assert (group["previous"], group["change"]) == (0, None)
    assert set(group["examples"]) == set(failed)
    assert ask(bound, by="client")[1]["groups"][0]["title"] == f"client {shop.id}"
    assert ask(bound, by="wallet")[1]["groups"][0]["key"] == ann
    [hour] = ask(bound, by="hour")[1]["groups"]
    assert (hour["failures"], len(hour["examples"])) == (2, 2)
    other = ask(actor("client", assets=frozenset({"GEM"})), by="wallet")[1]["groups"]
    assert ann not in {group["key"] for group in other}
    assert ask(actor("client"))[1]["total"]["failures"] >= 2


@pytest.mark.parametrize(
    ("query", "pointer"),
    [({"by": "sender_id"}, "/by"), ({"by": "code; DROP TABLE"}, "/by"), ({"from": "yesterday"}, "/from"),
     ({"from": "2026-03-11T12:00:00Z", "to": "2026-03-11T12:00:00Z"}, "/from"),
     ({"from": "2026-03-01T00:00:00Z", "to": "2026-03-31T00:00:01Z"}, "/from"), ({"asset": "EUR"}, "/asset"),
     ({"to": "0001-01-01T00:00:00Z"}, "/to"), ({"to": "1969-12-31T23:59:59Z"}, "/to"),
     ({"from": "0001-01-01T00:00:00Z", "to": "0001-01-02T00:00:00Z"}, "/to"),
     ({"from": "1969-12-31T23:59:59Z", "to": "1970-01-02T00:00:00Z"}, "/from")],
)  # fmt: skip
def test_a_window_or_a_dimension_that_makes_no_sense_is_refused(shop, query, pointer):
    status, problem = ask(shop, **query)

    assert (status, problem["errors"][0]["pointer"]) == (400, pointer)


def test_a_window_of_thirty_days_up_to_now_is_answered(shop):
    assert ask(shop, **{"from": time_text(clock.now() - timedelta(days=30) + HOUR), "by": "hour"})[0] == 200


def test_the_first_moment_that_there_is_has_no_failures_before_it(shop):
    status, found = ask(shop, to="1970-01-01T00:00:00Z")

    assert (status, found["total"]["failures"]) == (200, 0)


def test_an_end_user_with_the_scope_is_refused():
    assert ask(actor("user", scopes=frozenset({"ops:read"})))[0] == 403
