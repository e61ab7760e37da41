"""Failures in the console: what fails, for whom and why, each a link further, in few queries and for who may."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ledger import clock
from ops.windows import HOUR, MINUTE, RANGES
from tests.ops.failures import fail, known, read_failures
from tests.ops.staff import console, person, root

PAGE = "/admin/failures/"


@pytest.fixture
def failed(shop, rare_asset):
    """Failures of one client: two of Ann's for want of money, one of Bob's because he is suspended."""
    client = known(shop, name=f"<b>shop</b> {uuid4().hex[:8]}")
    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset, holding="1.00")
    payments = [shop.pay(ann, bob, "50.00").json()["payment_id"] for _ in range(2)]
    shop.set_status(bob, "SUSPENDED")
    shop.pay(bob, ann, "1.00")
    read_failures()
    return {"asset": rare_asset, "client": str(client), "ann": ann, "bob": bob, "payments": payments}


def look(http, path=PAGE, **query):
    answer = http.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer


def titles(answer, name):
    return [(row.title, row.group.failures) for row in answer.context["tables"][name]]


def test_what_fails_is_shown_by_reason_client_and_wallet_each_with_where_it_leads(failed):
    page = look(console(person("viewer")), asset=failed["asset"], range="7d")

    assert titles(page, "code") == [("Insufficient funds", 2), ("Wallet not active", 1)]
    assert [row.group.key for row in page.context["tables"]["wallet"]] == [failed["ann"], failed["bob"]]
    [(name, failures)] = titles(page, "client")
    assert (name.startswith("<b>shop</b>"), failures) == (True, 3)
    assert "<b>shop</b>" not in page.text
    assert "&lt;b&gt;shop" in page.text
    assert "101.00" in page.text
    kept = f"?range=7d&amp;asset={failed['asset']}"
    for link in (
        reverse("admin:failure_code", args=["insufficient_funds"]) + kept,
        f"{kept}&amp;client={failed['client']}",
    ):
        assert link in page.text


def test_the_page_is_narrowed_to_a_client_or_a_wallet_and_opened_again(failed):
    http = console(person("operator"))

    page = look(http, asset=failed["asset"], wallet=failed["bob"])
    assert titles(page, "code") == [("Wallet not active", 1)]
    assert f'href="?range=24h&amp;asset={failed["asset"]}"' in page.text
    assert titles(look(http, client=str(uuid4())), "code") == []


@pytest.mark.parametrize("query", [{"range": "1y"}, {"asset": "XXX"}, {"wallet": "x"}, {"client": "' OR 1=1 --"}])
def test_what_makes_no_sense_in_the_address_is_as_if_it_were_not_there(failed, query):
    page = look(console(root()), **query)

    assert page.context["picks"].range == RANGES["24h"]
    assert dict(titles(page, "code"))["Insufficient funds"] >= 2
    assert page.context["narrowed"] == []


def test_a_codes_page_says_what_it_means_and_shows_the_last_payments(failed):
    page = look(
        console(person("support")), reverse("admin:failure_code", args=["insufficient_funds"]), asset=failed["asset"]
    )

    assert "The sender had less available" in page.text
    assert "Compare the wallet&#x27;s balance" in page.text
    for payment in failed["payments"]:
        assert reverse("admin:payments_payment_change", args=[payment]) in page.text
    assert page.context["total"].failures == 2


def test_a_time_of_the_chart_leads_to_the_payments_that_failed_then(failed):
    http = console(person("viewer"))
    chart = look(http, reverse("admin:failure_code", args=["insufficient_funds"]), asset=failed["asset"]).context[
        "chart"
    ]

    place = next(place for place, count in enumerate(chart.series[0].values) if count)
    shown = look(http, chart.links[place]).context["cl"].result_list
    assert {str(payment.pk) for payment in shown} == set(failed["payments"])


def test_a_code_that_nobody_knows_has_no_page_but_one_that_was_met_has(rare_asset):
    http = console(root())
    for code in ("no_such_code", "\0", "insufficient_funds\0"):
        assert http.get(reverse("admin:failure_code", args=[code])).status_code == 404

    fail(rare_asset, clock.now() - MINUTE, "code_of_tomorrow")
    assert "Code of tomorrow" in look(http, reverse("admin:failure_code", args=["code_of_tomorrow"])).text


def test_a_rise_is_told_with_what_its_first_payments_share(shop, rare_asset):
    client, wallet = known(shop), uuid4()
    at = clock.now() - HOUR
    for _ in range(12):
        fail(rare_asset, at, "payment_denied", client=client, wallet=wallet)

    began = look(console(root()), asset=rare_asset).context["began"]

    assert (began.rise.failures, began.usual) == (12, "less than one")
    shared = {one.dimension: (one.count, one.of, title) for one, title, _ in began.shared}
    assert shared["code"] == (12, 12, "Denied")
    assert shared["client"] == (12, 12, f"client {client}")
    assert look(console(root()), asset=rare_asset, range="1h").context["began"] is None


def test_failures_are_for_staff_who_may_see_payments(failed):
    assert Http().get(PAGE).status_code == 302
    nobody = person("viewer")
    nobody.groups.clear()
    for path in (PAGE, reverse("admin:failure_code", args=["insufficient_funds"])):
        assert console(nobody).get(path).status_code == 403
        assert console(person("viewer")).get(path).status_code == 200


@pytest.mark.parametrize("range", RANGES)
def test_the_pages_take_few_queries_whatever_they_show(failed, range):
    http = console(person("auditor"))
    look(http)
    for path in (PAGE, reverse("admin:failure_code", args=["insufficient_funds"])):
        with CaptureQueriesContext(connection) as captured:
            look(http, path, range=range)
        assert len(captured) <= 12, [one["sql"] for one in captured]
        assert not [one["sql"] for one in captured if " FROM payments" in one["sql"]]


def test_the_sidebar_leads_there(failed):
    assert f'href="{PAGE}"' in console(person("viewer")).get("/admin/").text
