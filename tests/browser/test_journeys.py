"""What people on duty do, in a browser as they would: each as somebody in the role for it."""

from __future__ import annotations

import re
import time
from uuid import uuid4

import psycopg
import pytest
from django.urls import reverse
from playwright.sync_api import expect

from ops.alerts.models import Alert
from ops.reconciliation.models import Finding, ReconciliationRun
from tests.actors import actor
from tests.browser.driving import seen_by
from tests.conftest import admin_url
from tests.money import value
from tests.ops.staff import code_of, person
from walletplatform.identity.models import Client
from wallets.models import Wallet

REASON = "Seen on the phone with the customer"
PATIENCE = 60


@pytest.fixture
def shop(world):
    """The shop's system, which moves money while people watch."""
    return actor("client")


def until(found, *, seconds=PATIENCE):
    """Wait for what the platform's processes do; return it."""
    deadline = time.monotonic() + seconds
    while not (it := found()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return it


def act(page, button, **fields):
    """Press a button of a page, fill in the form that it leads to, and do it."""
    page.get_by_role("link", name=re.compile(f"{button}$")).click()  # an icon's name comes before it
    for name, content in fields.items():
        page.locator(f"[name={name}]").fill(content)
    page.locator("form.ops-act button[type=submit]").first.click()


def wallet_page(wallet):
    return f"/admin/wallets/wallet/{wallet}/change/"


def payment_page(payment):
    return f"/admin/payments/payment/{payment}/change/"


def new_rule(type):
    return f"{reverse('admin:ops_alertconfiguration_new_rule')}?type={type}"


def decide(page, approval, verdict, note=""):
    page.goto(f"/admin/ops/approval/{approval}/change/")
    if note:
        page.locator("[name=note]").fill(note)
    page.get_by_role("button", name=verdict, exact=True).click()


def pending(target):
    return value("SELECT id FROM approvals WHERE target_id = %s AND state = 'PENDING'", target)


def asked_for(target):
    return value("SELECT count(*) FROM approvals WHERE target_id = %s", target)


def test_somebody_logs_in_for_the_first_time_with_an_authenticator(world, browser):
    name = f"nina-{uuid4().hex[:8]}"
    made = world.manage("create_staff", name, "--role=viewer")
    password = re.search(r"password\s+(\S+)", made)[1]
    with seen_by(browser, world, None) as page:
        page.goto("/admin/")
        page.locator("[name=username]").fill(name)
        page.locator("[name=password]").fill(password)
        page.get_by_role("button", name=re.compile("log in|sign in", re.I)).click()
        expect(page).to_have_url(re.compile("/admin/second-factor/enrol/"))
        page.goto("/admin/payments/payment/")
        expect(page).to_have_url(re.compile("/admin/(login|second-factor)/"))


def test_the_morning_check_of_a_viewer(world, browser):
    with seen_by(browser, world, person("viewer")) as page:
        page.goto("/admin/")
        failed = page.get_by_role("link", name=re.compile(r"^Failed"))
        expect(failed).to_be_visible()
        told = int(re.search(r"\d+", failed.inner_text())[0])
        assert told == value(
            "SELECT count(*) FROM payments WHERE status = 'FAILED' AND created_at >= %s::timestamptz",
            value("SELECT date_trunc('hour', now()) - interval '23 hours'"),
        )
        expect(page.get_by_text("balanced, nothing open")).to_be_visible()
        expect(page.get_by_role("button", name="Acknowledge")).to_have_count(0)
        failed.click()
        expect(page).to_have_url(re.compile("/admin/failures/"))
        page.get_by_role("link", name="7 d").first.click()
        expect(page).to_have_url(re.compile("h=168|7d|h=7d"))


def test_support_finds_a_payment_from_a_customers_words(world, browser, shop):
    """I paid 12.34 to the shop some minutes ago; my user id is on the receipt."""
    user = uuid4()
    customer = shop.wallet(owner=user, holding="50.00")
    paid = shop.pay(customer, shop.wallet(), "12.34").json()["id"]
    with seen_by(browser, world, person("support")) as page:
        page.goto("/admin/")
        page.keyboard.press("Control+k")
        expect(page.locator("#search-input-command")).to_be_focused()
        page.keyboard.type(str(user), delay=2)
        page.get_by_role("link", name=re.compile(customer[-12:])).first.click()
        expect(page).to_have_url(re.compile(customer))
        page.get_by_role("row", name=re.compile(r"12\.34")).last.get_by_role("link").last.click()
        expect(page).to_have_url(re.compile(paid))
        expect(page.get_by_text("12.34").first).to_be_visible()


def test_support_explains_a_failure(world, browser, shop):
    poor = shop.wallet(holding="1.00")
    failed = shop.pay(poor, shop.wallet(), "99.00").json()["payment_id"]
    with seen_by(browser, world, person("support")) as page:
        until(lambda: value("SELECT count(*) FROM failure_payments WHERE payment_id = %s", failed))
        page.goto("/admin/failures/")
        page.get_by_role("link", name="Insufficient funds").first.click()
        expect(page.get_by_text("What to do next")).to_be_visible()
        page.get_by_role("link", name=f"…{failed[-12:]}").click()
        expect(page.get_by_text("The available balance is too small.").first).to_be_visible()
        expect(page.get_by_text("No postings: nothing moved.")).to_be_visible()


def test_an_operator_suspends_a_wallet_and_nothing_moves_any_more(world, browser, shop):
    wallet = shop.wallet(holding="20.00")
    with seen_by(browser, world, person("operator")) as page:
        page.goto(wallet_page(wallet))
        act(page, "Suspend wallet", reason="short")
        expect(page).to_have_url(re.compile("suspend"))
        assert Wallet.objects.get(pk=wallet).status == "ACTIVE"
        page.goto(wallet_page(wallet))
        act(page, "Suspend wallet", reason=REASON)
        expect(page.get_by_text("The wallet is suspended.")).to_be_visible()
        expect(page.get_by_text(REASON).first).to_be_visible()
    refused = shop.pay(wallet, shop.wallet(), "1.00")
    assert (refused.status_code, refused.json()["code"]) == (409, "wallet_not_active")


def test_a_refund_is_proposed_by_one_and_approved_by_another(world, browser, shop):
    ann, bob = shop.wallet(holding="80.00"), shop.wallet()
    paid = shop.pay(ann, bob, "80.00").json()["id"]
    maker = person("finance")
    with seen_by(browser, world, maker) as page:
        page.goto(payment_page(paid))
        act(page, "Propose refund", amount="30.00", reason=REASON)
        expect(page.get_by_text("Nothing happens before somebody else approves it.")).to_be_visible()
        approval = pending(paid)
        page.goto(f"/admin/ops/approval/{approval}/change/")
        expect(page.get_by_text("You made this request.")).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    assert shop.balance(ann) == "0.00"
    with seen_by(browser, world, person("approver")) as page:
        page.goto("/admin/")
        page.get_by_role("link", name="Approvals").first.click()
        expect(page.get_by_role("link", name=re.compile("Refund")).first).to_be_visible()
        decide(page, approval, "Approve")
        expect(page.get_by_text("Executed").first).to_be_visible()
        page.goto(payment_page(paid))
        expect(page.get_by_text("30.00").first).to_be_visible()
    assert (shop.balance(ann), shop.balance(bob)) == ("30.00", "50.00")


def test_an_adjustment_is_proposed_by_finance_and_approved_by_another(world, browser, shop):
    wallet = shop.wallet(holding="5.00")
    with seen_by(browser, world, person("finance")) as page:
        page.goto(wallet_page(wallet))
        page.get_by_role("link", name=re.compile("adjust", re.I)).first.click()
        page.locator("[name=amount]").fill("2.50")
        page.locator("[name=direction]").select_option("credit")
        page.locator("[name=reason]").fill(REASON)
        page.get_by_role("button", name="Show what would happen").click()
        expect(page.get_by_text("7.50")).to_be_visible()
        assert asked_for(wallet) == 0
        page.locator("form.ops-act button[type=submit]").first.click()
        until(lambda: asked_for(wallet))
    with seen_by(browser, world, person("approver")) as page:
        decide(page, pending(wallet), "Approve", note="Seen in the bank's statement")
        expect(page.get_by_text("Executed").first).to_be_visible()
    assert shop.balance(wallet) == "7.50"


def test_an_alert_from_firing_over_its_mail_to_acknowledged(world, browser, shop, rare_asset):
    address = f"duty-{uuid4().hex[:8]}@example.com"
    name = f"Failures of {rare_asset}"
    with seen_by(browser, world, person("risk")) as page:
        page.goto(new_rule("failure_rate"))
        for field, content in {
            "name": name, "threshold": "10", "window_minutes": "30", "minimum_volume": "1", "recipients": address,
            "reason": "To be told at once",
        }.items():  # fmt: skip
            page.locator(f"[name={field}]").fill(content)
        page.locator("[name=severity]").select_option("critical")
        page.locator("[name=asset]").select_option(rare_asset)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("It may never fire")).to_be_visible()  # nobody has paid with it yet
        page.get_by_role("button", name="Save all the same").click()
        expect(page.get_by_text(name).first).to_be_visible()
    poor, other = shop.wallet(rare_asset, holding="1.00"), shop.wallet(rare_asset)
    failed = [shop.pay(poor, other, "5.00").json()["payment_id"] for _ in range(3)]
    until(lambda: value("SELECT count(*) FROM failure_payments WHERE payment_id = %s", failed[-1]))
    world.do("alerts.evaluate")
    [mail] = until(lambda: world.mail.to(address))
    link = re.search(r"http://\S+/admin/ops/alert/\S+", mail.get_body(("plain",)).get_content())[0]
    with seen_by(browser, world, person("operator")) as page:
        page.goto(link)
        expect(page.get_by_text("What to do")).to_be_visible()
        act(page, "Acknowledge", reason=REASON)
        expect(page.get_by_text("Acknowledged").first).to_be_visible()
    assert Alert.objects.get(configuration__name=name).state == "ACKNOWLEDGED"
    told = actor("client").get("/alerts").json()["data"]
    assert [one["state"] for one in told if rare_asset in one["title"] or one["id"] in link] == ["ACKNOWLEDGED"]


def plant(world, sql):
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=world.name)) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(sql)


def run_everything(page):
    page.goto("/admin/ops/reconciliationrun/")
    before = ReconciliationRun.objects.exclude(state="RUNNING").count()
    page.get_by_role("link", name="Run now").click()
    page.locator("[name=kind]").select_option("full")
    page.locator("form.ops-act button[type=submit]").first.click()
    until(lambda: ReconciliationRun.objects.exclude(state="RUNNING").count() > before)
    last = ReconciliationRun.objects.order_by("-id")[0]
    assert last.state in ("CLEAN", "FINDINGS"), last.error


def test_a_planted_difference_from_its_finding_to_its_resolution(world, browser, shop):
    wallet = shop.wallet(holding="10.00")
    plant(world, f"UPDATE accounts SET balance = balance + 700 WHERE id = '{wallet}'")
    with seen_by(browser, world, person("operator")) as page:
        run_everything(page)
        finding = Finding.objects.get(kind="account_balance", subject_id=wallet)
        page.goto("/admin/ops/finding/")
        page.get_by_role("link", name=re.compile("balance", re.I)).first.click()
        page.goto(f"/admin/ops/finding/{finding.pk}/change/")
        expect(page.get_by_text("17.00").first).to_be_visible()
        assert Wallet.objects.get(pk=wallet).status == "SUSPENDED"
        plant(world, f"UPDATE accounts SET balance = balance - 700 WHERE id = '{wallet}'")
        run_everything(page)
        page.goto(f"/admin/ops/finding/{finding.pk}/change/")
        expect(page.get_by_text("Resolved").first).to_be_visible()


def ask_for_a_summary(page):
    before = value("SELECT count(*) FROM ai_summaries WHERE state = 'DONE'")
    page.goto("/admin/ops/summary/")
    page.get_by_role("link", name="New summary").click()
    page.locator("[name=reason]").fill("For the meeting at nine")
    page.locator("form.ops-act button[type=submit]").first.click()
    until(lambda: value("SELECT count(*) FROM ai_summaries WHERE state = 'DONE'") > before)
    return value("SELECT id FROM ai_summaries WHERE kind = 'window' ORDER BY id DESC LIMIT 1")


def test_a_summary_is_told_by_the_model_and_by_the_template_while_it_is_down(world, browser, shop):
    with seen_by(browser, world, person("operator")) as page:
        page.goto(f"/admin/ops/summary/{ask_for_a_summary(page)}/change/")
        expect(page.get_by_text("Generated").first).to_be_visible()
        world.model.mode = "status 500"
        try:
            page.goto(f"/admin/ops/summary/{ask_for_a_summary(page)}/change/")
            expect(page.get_by_text("Template").first).to_be_visible()
        finally:
            world.model.mode = "well"


def test_who_showed_a_code_long_ago_shows_another_for_a_dangerous_act_and_loses_no_word(world, browser, shop):
    ann, bob = shop.wallet(holding="80.00"), shop.wallet()
    paid = shop.pay(ann, bob, "80.00").json()["id"]
    maker = person("operator")
    with seen_by(browser, world, maker, verified_ago=3600) as page:
        page.goto(payment_page(paid))
        act(page, "Propose reversal", reason=REASON)
        assert asked_for(paid) == 0
        page.get_by_label("Code").fill(code_of(maker))
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Nothing happens before somebody else approves it.")).to_be_visible()
    assert value("SELECT reason FROM approvals WHERE target_id = %s", paid) == REASON


def answer_late(route):
    answer = route.fetch()
    time.sleep(1)
    route.fulfill(response=answer)


def test_a_double_click_asks_once_and_shows_the_secret_that_was_made(world, browser):
    client = Client.objects.get(name="shop")
    person("administrator")  # somebody who could approve it
    with seen_by(browser, world, person("administrator")) as page:
        page.goto(reverse("admin:identity_client_change", args=[client.pk]))
        page.get_by_role("link", name=re.compile("New secret$")).click()
        page.locator("[name=reason]").fill(REASON)
        button = page.locator("form.ops-act button[type=submit]").first
        page.route("**/renew/", answer_late)
        button.evaluate("button => { button.click(); setTimeout(() => button.click(), 500); }")
        expect(page.locator(".ops-secret")).to_have_text(re.compile(r"\S{20,}"))
    assert asked_for(client.pk) == 1
