"""What staff do at once about payments and wallets: previewed, reasoned, once, and never without its audit entry."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot
from tests.ops.staff import code_of, console, person
from tests.payments.holds import act as over_http
from tests.payments.holds import authorize
from walletplatform.audit.models import AuditEntry

REASON = "the customer called us"


@pytest.fixture
def held(shop):
    """A hold of 4.00 of ann's 10.00 for bob."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": authorize(shop, ann, bob, "4.00")}


@pytest.fixture
def paid(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": shop.pay(ann, bob, "4.00").json()["id"]}


def page(payment, act):
    return reverse(f"admin:payments_payment_{act}", args=[payment])


def wallet_page(wallet, act):
    return reverse(f"admin:wallets_wallet_{act}", args=[wallet])


def fields(shown, **more):
    """What a browser would send from a page: its hidden fields and what somebody types."""
    found = {name: shown.context["form"][name].value() for name in ("key", "seen", "amount", "final")
             if name in shown.context["form"].fields}  # fmt: skip
    return {name: value for name, value in found.items() if value} | {"reason": REASON} | more


def told(payment):
    return AuditEntry.objects.filter(object_id=str(payment)).order_by("id")


def text(answer):
    return re.sub(r"\s+", " ", answer.text.replace("\N{NO-BREAK SPACE}", " "))


def test_a_hold_is_voided_at_once_after_its_effect_was_seen(shop, held):
    user = person("operator")
    http = console(user)
    assert (
        page(held["payment"], "void") in http.get(reverse("admin:payments_payment_change", args=[held["payment"]])).text
    )
    before = snapshot()
    shown = http.get(page(held["payment"], "void"))
    assert '4.00 EUR</td> <td class="ops-figure"><strong>0.00 EUR' in text(shown)
    assert snapshot() == before

    assert http.post(page(held["payment"], "void"), fields(shown)).status_code == 302

    assert shop.get(f"/payments/{held['payment']}").json()["status"] == "VOIDED"
    [entry] = told(held["payment"])
    assert (entry.action, entry.actor_kind, entry.actor_name, entry.reason) == (
        "payment.void",
        "staff",
        user.username,
        REASON,
    )
    assert (entry.before["status"], entry.after["status"], entry.address) == ("AUTHORIZED", "VOIDED", "127.0.0.1")


def test_a_capture_takes_the_amount_that_was_shown(shop, held):
    http = console(person("finance"))
    shown = http.get(page(held["payment"], "capture"))
    assert shown.context["form"]["amount"].value() == "4.00"
    changed = http.post(page(held["payment"], "capture"), fields(shown, amount="1.50"))
    assert (changed.status_code, shop.balance(held["bob"])) == (200, "0.00")
    assert "this is what would happen now" in text(changed)
    assert "1.50 EUR" in text(changed)
    given = fields(changed)
    del given["final"]
    again = http.post(page(held["payment"], "capture"), given)
    assert (again.status_code, shop.balance(held["bob"])) == (200, "0.00")
    assert http.post(page(held["payment"], "capture"), fields(again)).status_code == 302
    assert (shop.balance(held["bob"]), shop.get(f"/payments/{held['payment']}").json()["status"]) == (
        "1.50",
        "AUTHORIZED",
    )
    made = told(held["payment"]).get().after["payment"]
    assert shop.get(f"/payments/{made}").json()["kind"] == "capture"


@pytest.mark.parametrize("amount", ["4.01", "0", "-1", "1e2", "NaN", "1.001", "", "٣", "999999999999999999"])
def test_no_other_amount_is_captured(held, amount):
    http = console(person("finance"))
    given = fields(http.get(page(held["payment"], "capture")), amount=amount)
    before = snapshot()
    answer = http.post(page(held["payment"], "capture"), given)
    assert (answer.status_code, bool(answer.context["form"].errors)) == (200, True)
    assert snapshot() == before


def test_a_second_click_is_the_first(shop, held):
    http = console(person("operator"))
    given = fields(http.get(page(held["payment"], "capture")), amount="4.00")
    assert http.post(page(held["payment"], "capture"), given).status_code == 302
    before = snapshot()
    assert http.post(page(held["payment"], "capture"), given).status_code == 302
    assert snapshot() == before
    assert told(held["payment"]).count() == 1


def test_a_page_that_was_gone_back_to_asks_anew_for_something_else(shop, held):
    http = console(person("operator"))
    first = fields(http.get(page(held["payment"], "capture")), amount="1.00")
    first.pop("final")
    given = fields(http.post(page(held["payment"], "capture"), first), amount="1.00")
    given.pop("final", None)
    assert http.post(page(held["payment"], "capture"), given).status_code == 302
    again = http.post(page(held["payment"], "capture"), given | {"amount": "2.00"})
    assert (again.status_code, "look at what would happen now" in text(again)) == (200, True)
    assert shop.balance(held["bob"]) == "1.00"


def test_what_has_changed_since_it_was_seen_is_told_and_not_acted_on(shop, held):
    http = console(person("operator"))
    given = fields(http.get(page(held["payment"], "void")))
    over_http(shop, held["payment"], "capture", {"amount": "1.00", "final": False})
    before = snapshot()
    answer = http.post(page(held["payment"], "void"), given)
    assert "has changed since you opened the page: captured amount: 0 -&gt; 100" in text(answer)
    assert snapshot() == before
    assert http.post(page(held["payment"], "void"), fields(answer)).status_code == 302


@pytest.mark.parametrize("seen", ["", "forged", "e30:1:x"])
def test_what_was_not_shown_is_not_done(held, seen):
    http = console(person("operator"))
    given = fields(http.get(page(held["payment"], "void")), seen=seen)
    before = snapshot()
    assert http.post(page(held["payment"], "void"), given).status_code == 200
    assert snapshot() == before


def test_a_small_refund_is_made_alone_and_a_larger_one_is_not(shop, paid, settings):
    http = console(person("operator"))
    assert (
        page(paid["payment"], "refund") + '"'
        not in http.get(reverse("admin:payments_payment_change", args=[paid["payment"]])).text
    )
    settings.LARGE_REFUNDS = {"EUR": "2.50"}
    assert (
        page(paid["payment"], "refund") + '"'
        in http.get(reverse("admin:payments_payment_change", args=[paid["payment"]])).text
    )
    shown = http.get(page(paid["payment"], "refund"))
    assert shown.context["form"]["amount"].value() == "2.50"
    before = snapshot()
    larger = http.post(page(paid["payment"], "refund"), fields(shown, amount="2.51"))
    assert "An amount of up to 2.50 EUR" in text(larger)
    assert snapshot() == before
    assert http.post(page(paid["payment"], "refund"), fields(shown)).status_code == 302
    assert shop.balance(paid["ann"]) == "8.50"


def test_what_would_be_declined_says_so_before_and_is_kept_as_declined(shop, held):
    http = console(person("operator"))
    shop.set_status(held["bob"], "SUSPENDED")
    shown = http.get(page(held["payment"], "capture"))
    assert "this would be declined:</strong> The receiver&#x27;s wallet is SUSPENDED." in text(shown)
    answer = http.post(page(held["payment"], "capture"), fields(shown))
    assert "The receiver&#x27;s wallet is SUSPENDED." in text(answer)
    [entry] = told(held["payment"])
    assert (entry.action, entry.after["outcome"]) == ("payment.capture", "wallet_not_active")


def test_without_its_audit_entry_nothing_moves(own_database, story):
    """The entry is written by the statement that moves the money: where it cannot be, neither is."""
    hold = rows("SELECT id FROM payments WHERE status = 'AUTHORIZED' ORDER BY id LIMIT 1")[0][0]
    http = console(person("operator"))
    given = fields(http.get(page(hold, "void")))
    with connect("owner") as owner:
        owner.execute("REVOKE INSERT ON audit_entries FROM app")
        owner.commit()
        before = snapshot()
        assert http.post(page(hold, "void"), given).status_code == 500
        assert snapshot() == before
        owner.execute("GRANT INSERT ON audit_entries TO app")
        owner.commit()
    assert http.post(page(hold, "void"), given).status_code == 302
    assert told(hold).count() == 1


def test_an_act_asks_for_the_second_factor_again_and_forgets_nothing(shop, held):
    user = person("operator")
    http = console(user, verified_ago=601)
    given = fields(http.get(page(held["payment"], "capture")))
    before = snapshot()
    asked = http.post(page(held["payment"], "capture"), given)
    assert "Your second factor again" in asked.text
    kept = dict(asked.context["kept"])
    assert kept == {name: str(value) for name, value in given.items()}
    code = code_of(user)
    assert "not right" in http.post(page(held["payment"], "capture"), kept | {"second_factor_code": "000000"}).text
    assert snapshot() == before
    fresh = console(user, verified_ago=601)
    TOTPDevice.objects.filter(user=user).update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert fresh.post(page(held["payment"], "capture"), kept | {"second_factor_code": code}).status_code == 302
    assert shop.balance(held["bob"]) == "4.00"


def test_a_new_wallet_is_activated_and_an_empty_one_closed_by_one_person(shop):
    wallet = shop.post("/wallets", {"user_id": str(uuid4()), "asset": "EUR"}).json()["id"]
    user = person("operator")
    http = console(user)

    def do(act, version):
        return http.post(wallet_page(wallet, act), {"reason": REASON, "version": version}).status_code

    assert do("activate", 1) == 302
    assert do("activate", 1) == do("activate", 2) == 200
    assert (do("suspend", 2), do("close", 3)) == (302, 302)
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "CLOSED"
    assert [entry.action for entry in told(wallet)] == [
        "wallet.create",
        "wallet.activate",
        "wallet.suspend",
        "wallet.close",
    ][-told(wallet).count() :]


def test_nobody_unfreezes_alone_by_the_page_for_new_wallets(shop, held):
    shop.set_status(held["ann"], "SUSPENDED")
    http, before = console(person("operator")), snapshot()
    for version in (1, 2, 3):
        assert (
            http.post(wallet_page(held["ann"], "activate"), {"reason": REASON, "version": version}).status_code == 200
        )
    assert snapshot() == before


def test_a_wallet_with_money_is_not_closed(shop, held):
    shop.set_status(held["ann"], "SUSPENDED")
    http, before = console(person("finance")), snapshot()
    answer = http.post(wallet_page(held["ann"], "close"), {"reason": REASON, "version": 2})
    assert "A wallet closes at balance 0 with nothing held." in text(answer)
    assert snapshot() == before
