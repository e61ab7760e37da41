"""Adjustments, overdrafts and limits in the console: seen before they are asked for, and asked for by whom may."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.urls import reverse

from ledger.models import Account
from ops.approvals.models import Approval
from payments.models import WalletLimits
from tests.money import snapshot
from tests.ops.staff import ROLES, console, person
from tests.ops.test_control_pages import decide, everything, on_wallet, page_of, said
from tests.ops.two_people import REASON, limit, somebody

ADJUST = {"amount": "2.50", "direction": "credit", "counter": "suspense", "reference": "case 7", "reason": REASON}


@pytest.fixture
def ann(shop):
    return shop.wallet(holding="10.00")


def foreseen(http, url, given):
    """Fill in the form: nothing is written, and the answer shows what would happen. Return its text and ``seen``."""
    before = everything()
    answer = http.post(url, given)
    assert (answer.status_code, everything()) == (200, before), answer.content
    return answer.text.replace("\N{NO-BREAK SPACE}", " "), answer.context["form"].data.get("seen")


def asked_for(http, url, given):
    _, seen = foreseen(http, url, given)
    assert "Nothing happens before somebody else approves it." in said(http.post(url, given | {"seen": seen}), http)
    return Approval.objects.latest("created_at")


def test_an_adjustment_is_seen_asked_for_seen_again_and_approved(shop, ann):
    http, url = console(somebody("finance")), on_wallet(ann, "propose_adjustment")
    assert url in http.get(page_of("wallets_wallet", ann)).text
    assert "Show what would happen" in http.get(url).text

    shown, _ = foreseen(http, url, ADJUST)
    assert "2.50 EUR are moved from the suspense account to the wallet, for case 7." in shown
    assert "10.00 EUR" in shown
    assert "12.50 EUR" in shown
    approval = asked_for(http, url, ADJUST)

    http = console(somebody("approver"))
    page = http.get(page_of("ops_approval", approval.pk)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "2.50 EUR are moved from the suspense account to the wallet" in page
    assert "12.50 EUR" in page
    assert said(decide(http, approval), http) == "Executed."
    assert shop.balance(ann) == "12.50"


def test_what_was_not_seen_is_not_asked_for(shop, ann):
    http, url = console(somebody("finance")), on_wallet(ann, "propose_adjustment")
    _, seen = foreseen(http, url, ADJUST)
    for other in (ADJUST | {"amount": "3.50"}, ADJUST | {"direction": "debit"}, ADJUST | {"counter": "fees"}):
        assert foreseen(http, url, other | {"seen": seen})[1] not in ("", seen)
    shop.set_status(ann, "SUSPENDED")
    assert "Only an active wallet is adjusted" in foreseen(http, url, ADJUST | {"seen": seen})[0]


def test_what_would_be_declined_is_said_and_what_makes_no_sense_is_refused(ann):
    http, url = console(somebody("finance")), on_wallet(ann, "propose_adjustment")
    shown, _ = foreseen(http, url, ADJUST | {"amount": "10.01", "direction": "debit"})
    assert "this would be declined" in shown
    for wrong in (
        {"amount": "1e2"}, {"amount": "0"}, {"amount": "-1"}, {"amount": "1.001"}, {"direction": ""},
        {"counter": "wallet"}, {"reference": "x" * 65}, {"reason": "short"},
    ):  # fmt: skip
        answer = http.post(url, ADJUST | wrong)
        assert answer.context["form"].errors, wrong


def test_a_system_account_is_adjusted_from_its_page(rare_asset):
    fees = Account.objects.get(asset_id=rare_asset, kind="fees").pk
    http, url = console(somebody("finance")), reverse("admin:ledger_account_propose_account_adjustment", args=[fees])
    assert url in http.get(page_of("ledger_account", fees)).text
    approval = asked_for(http, url, ADJUST)
    assert (approval.action, approval.target_id, approval.asset) == ("account.adjust", fees, rare_asset)
    http = console(somebody("approver"))
    assert said(decide(http, approval), http) == "Executed."
    assert "fees" in http.get(page_of("ops_approval", approval.pk)).text
    assert Account.objects.get(pk=fees).balance == 250


def test_a_wallets_account_is_adjusted_as_a_wallet(ann):
    http = console(somebody("finance"))
    url = reverse("admin:ledger_account_propose_account_adjustment", args=[ann])
    assert url not in http.get(page_of("ledger_account", ann)).text
    assert "There is no such account." in http.post(url, ADJUST).text


def test_an_overdraft_is_asked_for_and_shown(shop, ann):
    http, url = console(somebody("finance")), on_wallet(ann, "propose_overdraft")
    assert 'value="0.00"' in http.get(url).text
    given = {"amount": "5", "reason": REASON}
    shown, _ = foreseen(http, url, given)
    assert "The wallet may be overdrawn by up to 5.00 EUR (by now 0.00 EUR)." in shown
    assert "The wallet can pay 10.00 EUR by now, and then 15.00 EUR." in shown
    approval = asked_for(http, url, given)
    assert said(decide(console(somebody("approver")), approval), console(somebody("approver"))) is not None
    page = http.get(page_of("wallets_wallet", ann)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "<dt>Overdraft</dt><dd>5.00 EUR</dd>" in page


def test_limits_are_set_by_one_and_raised_by_two(shop, ann):
    bob, http = shop.wallet(), console(somebody("operator"))
    assert on_wallet(ann, "propose_limits") not in http.get(page_of("wallets_wallet", ann)).text
    given = {"per_payment": "", "per_day": "8.00", "reason": REASON, "version": 1}
    assert said(http.post(on_wallet(ann, "set_limits"), given), http) == "The limits are set."
    shop.pay(ann, bob, "3.00")
    page = http.get(page_of("wallets_wallet", ann)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "<dd>8.00 EUR, of which 5.00 EUR are left today</dd>" in page

    before = snapshot()
    stale = http.post(on_wallet(ann, "set_limits"), given | {"per_day": "7.00"})
    assert "The wallet is at version 2 by now." in stale.text
    raised = http.post(on_wallet(ann, "set_limits"), given | {"per_day": "", "version": 2})
    assert "A limit is raised or taken away by two people." in raised.text
    assert snapshot() == before

    assert 'value="8.00"' in http.get(on_wallet(ann, "propose_limits")).text
    wanted = {"per_payment": "", "per_day": "20", "reason": REASON}
    shown, _ = foreseen(http, on_wallet(ann, "propose_limits"), wanted)
    assert "What the wallet pays at most in a day (UTC): 8.00 EUR → 20.00 EUR." in shown
    approval = asked_for(http, on_wallet(ann, "propose_limits"), wanted)
    http = console(somebody("approver"))
    assert said(decide(http, approval), http) == "Executed."
    assert WalletLimits.objects.get(pk=ann).per_day == 2000


ACTS = {
    "propose_adjustment": ({"finance"}, ADJUST),
    "propose_overdraft": ({"finance"}, {"amount": "5", "reason": REASON}),
    "set_limits": ({"operator", "finance"}, {"per_payment": "1", "per_day": "1", "reason": REASON, "version": 2}),
    "propose_limits": (
        {"support", "operator", "finance", "risk"}, {"per_payment": "90", "per_day": "90", "reason": REASON},
    ),
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_and_does_what_it_may(ann, role):
    limit(ann, per_payment=5000, per_day=5000)
    http = console(person(role))
    page = http.get(page_of("wallets_wallet", ann)).text
    for act, (roles, given) in ACTS.items():
        url, before = on_wallet(ann, act), everything()
        assert (url in page) == (role in roles), act
        answers = http.get(url), http.post(url, given)
        if role in roles:
            assert answers[0].status_code == 200, act
        else:
            assert ([answer.status_code for answer in answers], everything()) == ([403, 403], before), act


def test_a_closed_wallet_offers_nothing(shop):
    closed = shop.wallet()
    shop.set_status(closed, "SUSPENDED")
    shop.set_status(closed, "CLOSED")
    page = console(somebody("finance")).get(page_of("wallets_wallet", closed)).text
    assert not [act for act in ACTS if on_wallet(UUID(closed), act) in page]
