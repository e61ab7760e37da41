"""The console as a site: what a browser may run on it, where an ended session leads, and its pages of money."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client as Http
from django.urls import reverse

from events.sequencer import sequence
from ops.console.timelines import _gap
from tests.ops.staff import console, person, root
from walletplatform.content_policy import CONSOLE, DOCS, NOTHING


@pytest.fixture
def paid(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    ids = {
        "settled": shop.pay(ann, bob, "4.00").json()["id"],
        "failed": shop.pay(ann, bob, "99.00").json()["payment_id"],
    }
    while sequence():
        pass
    return ids | {"ann": ann, "bob": bob}


def payment_page(http, pk):
    return http.get(reverse("admin:payments_payment_change", args=[pk])).text


def test_every_answer_says_what_a_browser_may_run(shop):
    for path, policy in (
        ("/admin/login/", CONSOLE), ("/admin/nothing/", CONSOLE), ("/admin", CONSOLE), ("/api/v1/docs", DOCS),
        ("/api/v1/schema", NOTHING), ("/api/v1/wallets", NOTHING), ("/healthz/live", NOTHING), ("/nothing", DOCS),
    ):  # fmt: skip
        assert Http().get(path)["Content-Security-Policy"] == policy, path
    for policy in (CONSOLE, DOCS, NOTHING):
        assert "script-src 'unsafe-inline'" not in policy
        assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in CONSOLE.split("script-src")[1].split(";")[0]


@pytest.mark.parametrize("path", ["/admin/payments/payment/", "/admin/wallets/wallet/", "/admin/ops/openhold/"])
def test_no_page_has_an_inline_script(paid, path):
    text = console(root()).get(path).text
    assert not re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", text)
    assert not re.findall(r"\son(click|load|error|submit)=", text)


@pytest.mark.parametrize(
    ("headers", "page"),
    [({"HX-Request": "true", "HX-Current-URL": "http://testserver/admin/payments/payment/?status=FAILED"},
      "/admin/payments/payment/?status=FAILED"),
     ({"HX-Request": "true", "HX-Current-URL": "https://evil.example/phish"}, "/admin/"),
     ({"HX-Request": "true", "HX-Current-URL": "https://evil.example//admin/"}, "/admin/"),
     ({"HX-Request": "true", "HX-Current-URL": "http://[x"}, "/admin/"),
     ({"Sec-Fetch-Mode": "cors", "Referer": "http://[x/admin/ops/alert/"}, "/admin/"),
     ({"Sec-Fetch-Mode": "cors", "Referer": "http://testserver/admin/ops/alert/"}, "/admin/ops/alert/"),
     ({"HX-Request": "true"}, "/admin/")],
)  # fmt: skip
def test_a_part_of_a_page_is_never_the_login(headers, page):
    answer = Http().get(reverse("admin:search"), {"s": "x"}, headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    login, _, back = answer["HX-Redirect"].partition("?next=")
    assert (login, back.replace("%2F", "/").replace("%3F", "?").replace("%3D", "=")) == ("/admin/login/", page)


def test_a_page_itself_is_still_led_to_the_login():
    answer = Http().get("/admin/payments/payment/", headers={"Sec-Fetch-Mode": "navigate"})
    assert (answer.status_code, answer.url) == (302, "/admin/login/?next=/admin/payments/payment/")


def test_nobody_takes_development_for_production(settings):
    assert "Development" in console(root()).get("/admin/").text
    settings.PRODUCTION = True
    assert "Production" in console(root()).get("/admin/").text


def test_a_payments_page_tells_what_happened_and_what_moved(shop, paid):
    refund = shop.post(f"/payments/{paid['settled']}/refund", {"amount": "1.00"}).json()["id"]
    shown = payment_page(console(person("viewer")), paid["settled"])
    for words in ("Settled", "Double entry", "balanced", "Total EUR", "6.00\N{NO-BREAK SPACE}EUR", refund, "Refund"):
        assert words in shown, words
    assert "No postings" not in shown


def test_a_failed_payments_page_says_why_in_words_and_what_to_do(shop, paid):
    shown = payment_page(console(person("viewer")), paid["failed"])
    for words in (
        "Insufficient funds",
        "insufficient_funds",
        "Likely cause",
        "Next step",
        "No postings: nothing moved",
    ):
        assert words in shown, words
    assert "balanced" not in shown


def test_a_wallets_page_shows_its_entries_payments_holds_and_whether_it_adds_up(shop, paid):
    shop.post(
        "/payments",
        {"sender_wallet_id": paid["ann"], "receiver_wallet_id": paid["bob"], "amount": "2.00", "capture": False},
    )
    shop.set_status(paid["ann"], "SUSPENDED")
    shown = console(person("auditor")).get(reverse("admin:wallets_wallet_change", args=[paid["ann"]])).text
    for words in ("adds up", "4.00\N{NO-BREAK SPACE}EUR available", "2.00\N{NO-BREAK SPACE}EUR held", "out, to",
                  "Suspend", "by ", ": test", paid["settled"], paid["failed"]):  # fmt: skip
        assert words in shown, words
    assert "does not add up" not in shown
    # Whoever may not read the audit trail reads it in the log.
    while sequence():
        pass
    shown = console(person("viewer")).get(reverse("admin:wallets_wallet_change", args=[paid["ann"]])).text
    assert "Suspended" in shown


def test_holds_show_what_is_left_and_what_is_overdue(shop, rare_asset):
    from django.utils import timezone

    from ops.models import OpenHold

    ann, bob = shop.wallet(rare_asset, holding="10.00"), shop.wallet(rare_asset)
    body = {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00", "capture": False}
    late, soon = (shop.post("/payments", body).json()["id"] for _ in range(2))
    now = timezone.now()
    for payment, left in ((late, -timedelta(hours=2)), (soon, timedelta(minutes=20, seconds=30))):
        OpenHold.objects.create(
            payment_id=payment, asset=rare_asset, sender_wallet_id=ann, held=100, created_at=now, expires_at=now + left
        )
    http = console(person("viewer"))
    page = http.get("/admin/ops/openhold/", {"asset": rare_asset})
    assert [str(row.pk) for row in page.context["cl"].result_list] == [late, soon]
    assert "overdue" in page.text
    assert "20 min" in page.text
    page = http.get("/admin/ops/openhold/", {"asset": rare_asset, "due": "hour"})
    assert [str(row.pk) for row in page.context["cl"].result_list] == [soon]
    page = http.get("/admin/ops/openhold/", {"q": ann})
    assert {str(row.pk) for row in page.context["cl"].result_list} == {late, soon}


@pytest.mark.parametrize(
    ("passed", "words"),
    [(timedelta(milliseconds=12), "+12 ms"), (timedelta(seconds=3, milliseconds=440), "+3.4 s"),
     (timedelta(minutes=5, seconds=7), "+5 min 07 s"), (timedelta(hours=2, minutes=5), "+2 h 05 min"),
     (timedelta(days=3, hours=4), "+3 d 4 h")],
)  # fmt: skip
def test_the_time_between_two_moments_is_read_at_a_glance(passed, words):
    assert _gap(passed) == words


def test_an_open_alert_about_a_wallet_stands_on_its_page(paid):
    from django.db.transaction import atomic

    from ops.alerts.raising import raise_alert

    with atomic():
        raise_alert(
            type="ledger_inconsistency", fingerprint=f"test:{paid['ann']}", severity="critical",
            title="Entries do not add up", detail="", subject_type="wallet", subject_id=paid["ann"],
        )  # fmt: skip
    http = console(person("viewer"))
    shown = [http.get(reverse("admin:wallets_wallet_change", args=[paid[who]])).text for who in ("ann", "bob")]
    assert ["Entries do not add up" in text for text in shown] == [True, False]
