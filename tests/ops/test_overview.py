"""The first page: right figures, links that show what they counted, and each person's own acts."""

from __future__ import annotations

import re
from uuid import uuid4

import orjson
import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ops.alerts.raising import raise_alert
from ops.approvals.proposing import propose
from ops.overview.badges import NAME as BADGES
from ops.windows import RANGES
from tests.money import rows, snapshot
from tests.ops.failures import known, read_failures
from tests.ops.staff import ROLES, console, person, root
from walletplatform.cache.redis import Breaker, ask

POLL = "/admin/overview/figures/"


@pytest.fixture
def moved(shop, rare_asset):
    """Payments that settled, failed and went back, in an asset of their own."""
    known(shop)
    ann, bob = shop.wallet(rare_asset, holding="100.00"), shop.wallet(rare_asset)
    paid = shop.pay(ann, bob, "10.00").json()["id"]
    shop.post(f"/payments/{paid}/refund", {"amount": "4.00"})
    shop.pay(ann, bob, "1000.00")
    shop.pay(ann, bob, "5.00", capture=False)
    read_failures()
    return {"asset": rare_asset, "ann": ann, "bob": bob, "paid": paid}


def forget(*names):
    """What was kept for a few seconds is read anew."""
    for name in names:
        ask("dashboard", lambda redis, name=name: redis.delete(name), None)


def overview(http, path="/admin/", **query):
    answer = http.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer


def cards(answer):
    return {card["name"]: card for card in answer.context["cards"]}


@pytest.mark.parametrize("range", RANGES)
def test_the_cards_are_what_the_ledger_says(moved, range):
    shown = cards(overview(console(person("viewer")), asset=moved["asset"], range=range))

    # The top-up and the payment; the refund is no success of its own, and the hold has moved nothing yet.
    settled, amount = rows(
        "SELECT count(*), sum(amount) FROM payments WHERE asset = %s AND status = 'SETTLED' AND kind <> 'refund'",
        moved["asset"],
    )[0]
    assert (settled, amount) == (2, 11000)
    assert (shown["Settled volume"]["figure"], shown["Settled volume"]["small"]) == ("110.00", moved["asset"])
    assert (shown["Given back"]["figure"], shown["Given back"]["small"]) == ("1", "50.0\N{NO-BREAK SPACE}% of settled")
    assert (shown["Payments"]["figure"], shown["Failed"]["figure"]) == ("3", "1")
    assert shown["Success rate"]["figure"] == "66.7\N{NO-BREAK SPACE}%"
    assert shown["Success rate"]["tone"] == "bad"
    assert (shown["Held"]["figure"], shown["Held"]["note"]) == ("5.00", "in 1 hold")
    assert shown["Active wallets"]["figure"] == "2"


def test_a_cards_link_shows_what_it_has_counted(moved):
    http = console(person("viewer"))
    shown = cards(overview(http, asset=moved["asset"]))

    assert len(http.get(shown["Settled volume"]["link"]).context["cl"].result_list) == 3
    assert http.get(shown["Failed"]["link"]).context["total"].failures == 1
    assert len(http.get(shown["Active wallets"]["link"]).context["cl"].result_list) == 2


def test_the_charts_hold_the_same_numbers_and_lead_to_them(moved):
    http = console(person("viewer"))
    payments, reasons = overview(http, asset=moved["asset"]).context["charts"]

    assert [sum(one.values) for one in payments.series] == [2, 1, 1]
    assert len(payments.labels) == len(payments.links) == 24
    assert (reasons.labels, reasons.series[0].values) == (["Insufficient funds"], [1])
    assert http.get(reasons.links[0]).context["total"].failures == 1
    place = next(place for place, count in enumerate(payments.series[0].values) if count)
    assert len(http.get(payments.links[place]).context["cl"].result_list) == 5


def test_a_new_payment_is_in_the_next_answer_of_the_poll(moved, shop):
    http = console(person("viewer"))
    overview(http, asset=moved["asset"])
    shop.pay(moved["ann"], moved["bob"], "1.00")
    read_failures()
    forget(f"overview:24h:{moved['asset']}")

    told = http.get(POLL, {"asset": moved["asset"]})

    assert "no-store" in told.headers["Cache-Control"]
    answer = told.json()
    assert sum(answer["charts"]["overview-payments"]["series"][0]["values"]) == 3
    assert "111.00" in answer["parts"]["ops-figures"]
    assert re.fullmatch(r"\d\d:\d\d:\d\d", answer["as_of"])


@pytest.mark.parametrize("stored", [b"", b"x", b"[1]", b"{}", b'{"as_of": "x"}', b'{"as_of": 5}', b'"as_of"'])
def test_what_is_malformed_in_redis_is_not_believed(moved, stored):
    ask("dashboard", lambda redis: redis.set(f"overview:24h:{moved['asset']}", stored), None)
    ask("badges", lambda redis: redis.set(BADGES, stored), None)

    assert cards(overview(console(root()), asset=moved["asset"]))["Payments"]["figure"] == "3"


def test_without_redis_it_is_read_anew(moved, settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    # One of its own: for two seconds it stays open, and Redis is not asked.
    monkeypatch.setattr("walletplatform.cache.redis.breaker", Breaker())

    assert cards(overview(console(root()), asset=moved["asset"]))["Payments"]["figure"] == "3"


def test_what_comes_before_is_compared_with(moved, shop):
    shown = cards(overview(console(root()), asset=moved["asset"]))

    assert shown["Payments"]["note"] == "none in the 24 hours before"


def test_where_nothing_was_paid_it_says_so(shop, rare_asset):
    page = overview(console(root()), asset=rare_asset)

    assert "No payments in the last 24 hours." in page.text
    assert cards(page)["Success rate"]["figure"] == "–"


@pytest.fixture
def waiting(shop):
    """An alert, and approvals that two people have asked for."""
    raise_alert(type="test", fingerprint=uuid4().hex, severity="critical", title="A test of <i>alerts</i>", detail="")
    makers = [person("operator"), person("finance")]
    for maker in makers:
        ann, bob = shop.wallet(holding="10.00"), shop.wallet()
        paid = shop.pay(ann, bob, "4.00").json()["id"]
        propose(maker=maker, action="payment.reverse", target_id=paid, reason="the customer paid twice")
    return makers


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_offered_its_own_acts(waiting, role):
    page = overview(console(person(role))).text

    assert "A test of &lt;i&gt;alerts&lt;/i&gt;" in page
    assert (">Acknowledge</a>" in page) == (role in {"operator", "approver", "finance", "risk", "administrator"})
    assert (">Decide</a>" in page) == (role in {"approver", "finance"})
    assert ("the customer paid twice" in page) == (role in {"approver", "finance", "risk", "auditor", "administrator"})
    if role == "approver":
        assert page.index("Waiting for your approval") < page.index('id="alerts-title"')


def test_nobody_is_asked_to_decide_about_what_they_asked_for_themselves(waiting):
    _, maker = waiting
    inbox = overview(console(maker)).context["inbox"]

    own = {one["approval"].maker_id == maker.pk: one["own"] for one in inbox.approvals}
    assert own == {True: True, False: False} or own == {False: False}


def badges(http):
    forget(BADGES)
    page = overview(http).text
    return {
        name: int(found[1].rstrip("+"))
        if (found := re.search(rf"{name}\s*</span>\s*<span[^>]*>\s*([0-9]+\+?)", page))
        else 0
        for name in ("Alerts", "Approvals", "Jobs", "Set aside")
    }


def test_the_sidebar_counts_what_waits_for_who_looks(waiting):
    _, maker = waiting
    others = badges(console(person("approver")))

    assert others["Alerts"] >= 1
    assert badges(console(maker))["Approvals"] == others["Approvals"] - 1
    assert badges(console(person("auditor")))["Approvals"] == 0


@pytest.mark.parametrize("path", ["/admin/", POLL])
def test_the_overview_takes_few_queries_and_none_of_a_big_table(moved, path):
    http = console(person("approver"))
    overview(http)
    forget(BADGES, "dashboard:balances", f"overview:24h:{moved['asset']}")
    with CaptureQueriesContext(connection) as captured:
        overview(http, path, asset=moved["asset"])

    assert len(captured) <= 12, [one["sql"] for one in captured]


def test_a_look_changes_nothing_and_only_a_get_is_answered(moved):
    before, http = snapshot(), console(root())
    overview(http)
    overview(http, POLL)

    assert http.post(POLL).status_code in (403, 405)
    assert snapshot() == before


def test_figures_are_for_staff_who_may_see_payments():
    assert Http().get(POLL).status_code == 302
    assert Http().get(POLL, headers={"Sec-Fetch-Mode": "cors"}).status_code == 401
    nobody = person("viewer")
    nobody.groups.clear()
    assert console(nobody).get(POLL).status_code == 403
    assert "Ask an administrator for a role" in overview(console(nobody)).text


def test_a_snapshot_is_json_that_a_person_could_read(moved):
    forget(f"overview:7d:{moved['asset']}")
    overview(console(root()), asset=moved["asset"], range="7d")

    kept = ask("dashboard", lambda redis: redis.get(f"overview:7d:{moved['asset']}"), None)
    assert orjson.loads(kept)["payments"] == 3


def test_each_watch_leads_to_a_page(moved):
    http = console(root())
    watches = overview(http).context["watches"]

    assert {one["name"] for one in watches} == {
        "Ledger",
        "Reconciliation",
        "Outbox",
        "Readers",
        "Dead letters",
        "Summary",
    }
    for one in watches:
        assert http.get(one["link"]).status_code == 200
    assert reverse("admin:events_cursor_changelist") in {one["link"] for one in watches}
