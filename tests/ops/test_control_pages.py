"""Approvals, acts and the audit trail in the console: the right people, by POST only, and nothing by a GET."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client as Http
from django.urls import reverse

from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from tests.money import rows, snapshot
from tests.ops.staff import ROLES, console, person, root
from walletplatform.audit.models import AuditEntry

REASON = "the customer paid twice"
PROPOSERS = {"support", "operator", "finance", "risk"}
CHECKERS = {"approver", "finance"}
SUSPENDERS = {"operator", "approver", "finance", "risk", "administrator"}


@pytest.fixture
def paid(shop):
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": shop.pay(ann, bob, "4.00").json()["id"]}


@pytest.fixture
def frozen(shop, paid):
    shop.set_status(paid["ann"], "SUSPENDED")
    return paid["ann"]


@pytest.fixture
def asked(paid):
    return propose(maker=person("operator"), action="payment.reverse", target_id=paid["payment"], reason=REASON)


def everything():
    """What acts may change: money, approvals, and the audit trail of both."""
    return snapshot(), rows("SELECT count(*) FROM audit_entries"), rows("SELECT id, state FROM approvals ORDER BY id")


def page_of(name, pk):
    return reverse(f"admin:{name}_change", args=[pk])


def on_payment(paid, act):
    return reverse(f"admin:payments_payment_{act}", args=[paid["payment"]])


def on_wallet(wallet, act):
    return reverse(f"admin:wallets_wallet_{act}", args=[wallet])


def decide(http, approval, verdict="approve", **more):
    given = {"seen": approval.payload_sha256, "note": "", "verdict": verdict} | more
    return http.post(reverse("admin:ops_approval_decide", args=[approval.pk]), given)


def said(answer, http):
    """The messages on the page that an answer leads to."""
    assert answer.status_code == 302, answer.content
    return " ".join(str(message) for message in http.get(answer.url).context["messages"])


def state(approval):
    return Approval.objects.get(pk=approval.pk).state


def test_from_a_payments_page_to_its_reversal_by_two_people(shop, paid):
    maker, checker = person("support"), person("approver")
    http = console(maker)
    assert on_payment(paid, "propose_reversal") in http.get(page_of("payments_payment", paid["payment"])).text
    assert "SETTLED, 4.00\N{NO-BREAK SPACE}EUR" in http.get(on_payment(paid, "propose_reversal")).text
    answer = http.post(on_payment(paid, "propose_reversal"), {"reason": REASON})
    assert "Nothing happens before somebody else approves it." in said(answer, http)
    approval = Approval.objects.get(target_id=paid["payment"])

    http = console(checker)
    assert maker.username in http.get(reverse("admin:ops_approval_changelist")).text
    shown = http.get(page_of("ops_approval", approval.pk)).text
    for words in (REASON, maker.username, "undone as a whole: 4.00 EUR", paid["payment"], approval.payload_sha256):
        assert words in shown
    assert said(decide(http, approval, note="right"), http) == "Executed."
    assert (state(approval), shop.balance(paid["ann"])) == ("EXECUTED", "10.00")
    payment = http.get(page_of("payments_payment", paid["payment"])).text
    assert "Reverse a payment</a>: executed" in payment
    told = AuditEntry.objects.get(object_id=str(approval.pk), action="approval.approve")
    assert (told.actor_name, told.address, told.reason) == (checker.username, "127.0.0.1", "right")


def test_a_refund_is_offered_for_what_is_left_and_asked_for_by_amount(shop, paid):
    http = console(person("operator"))
    shop.post(f"/payments/{paid['payment']}/refund", {"amount": "1.00"})
    shown = http.get(page_of("payments_payment", paid["payment"])).text
    assert on_payment(paid, "propose_refund") in shown
    assert on_payment(paid, "propose_reversal") not in shown
    assert 'value="3.00"' in http.get(on_payment(paid, "propose_refund")).text
    for amount in ("3.01", "0", "-1", "1e2", "NaN", "1.001", "", "٣"):
        answer = http.post(on_payment(paid, "propose_refund"), {"reason": REASON, "amount": amount})
        assert (answer.status_code, Approval.objects.filter(target_id=paid["payment"]).count()) == (200, 0), amount
        assert answer.context["form"].errors
    http.post(on_payment(paid, "propose_refund"), {"reason": REASON, "amount": "2.5"})
    assert Approval.objects.get(target_id=paid["payment"]).payload == {"amount": "2.50"}


def test_a_payment_under_review_is_decided_from_its_page(shop, paid, settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    waiting = {"payment": shop.pay(paid["ann"], paid["bob"], "1.00", metadata={"policy": "review"}).json()["id"]}
    http = console(person("risk"))
    assert on_payment(waiting, "propose_decision") in http.get(page_of("payments_payment", waiting["payment"])).text
    http.post(on_payment(waiting, "propose_decision"), {"reason": REASON, "verdict": "deny"})
    approval, http = Approval.objects.get(target_id=waiting["payment"]), console(person("finance"))
    assert "is denied, for good" in http.get(page_of("ops_approval", approval.pk)).text
    decide(http, approval)
    assert shop.get(f"/payments/{waiting['payment']}").json()["status"] == "FAILED"


def test_a_wallet_is_suspended_at_once_and_unfrozen_by_two_people(shop, paid):
    wallet, maker = paid["ann"], person("operator")
    http = console(maker)
    assert on_wallet(wallet, "suspend") in http.get(page_of("wallets_wallet", wallet)).text
    http.post(on_wallet(wallet, "suspend"), {"reason": REASON, "version": 1})
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "SUSPENDED"
    told = AuditEntry.objects.get(object_id=wallet)
    assert (told.action, told.actor_kind, told.actor_id, told.reason) == ("wallet.suspend", "staff", maker.pk, REASON)

    shown = http.get(page_of("wallets_wallet", wallet)).text
    assert on_wallet(wallet, "suspend") not in shown
    assert on_wallet(wallet, "propose_unfreeze") in shown
    http.post(on_wallet(wallet, "propose_unfreeze"), {"reason": REASON})
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "SUSPENDED"
    decide(console(person("approver")), Approval.objects.get(target_id=wallet))
    assert shop.get(f"/wallets/{wallet}").json()["status"] == "ACTIVE"


def test_a_wallet_that_has_changed_since_it_was_looked_at_is_not_suspended(shop, paid):
    shop.set_status(paid["ann"], "SUSPENDED")
    shop.unfreeze(paid["ann"])
    answer = console(person("operator")).post(on_wallet(paid["ann"], "suspend"), {"reason": REASON, "version": 1})
    assert (answer.status_code, shop.get(f"/wallets/{paid['ann']}").json()["status"]) == (200, "ACTIVE")
    assert "it is ACTIVE, at version 3, by now" in answer.text


@pytest.mark.parametrize("who", [lambda: person("finance"), root])
def test_ones_own_request_shows_no_buttons_and_can_only_be_taken_back(shop, paid, who):
    maker = who()
    approval = propose(maker=maker, action="payment.reverse", target_id=paid["payment"], reason=REASON)
    http = console(maker)
    shown = http.get(page_of("ops_approval", approval.pk)).text
    assert "You made this request." in shown
    assert reverse("admin:ops_approval_decide", args=[approval.pk]) not in shown
    for verdict in ("approve", "reject"):
        assert "somebody else decides" in said(decide(http, approval, verdict, note="mine"), http)
    assert (state(approval), shop.balance(paid["ann"])) == ("PENDING", "6.00")
    http.post(reverse("admin:ops_approval_cancel", args=[approval.pk]))
    assert state(approval) == "CANCELLED"


def test_a_rejection_needs_a_note(asked):
    http = console(person("approver"))
    assert "Say why" in said(decide(http, asked, "reject"), http)
    assert said(decide(http, asked, "reject", note="it was right"), http) == "Rejected."
    assert state(asked) == "REJECTED"


def test_what_was_not_shown_is_not_approved(shop, paid, asked):
    http = console(person("approver"))
    for more in ({"seen": "0" * 64}, {"seen": ""}, {"verdict": "maybe"}):
        said(decide(http, asked, **more), http)
        assert (state(asked), shop.balance(paid["ann"])) == ("PENDING", "6.00")


def test_a_target_that_has_changed_is_told_and_not_approved(shop, paid, asked):
    shop.post(f"/payments/{paid['payment']}/refund", {"amount": "1.00"})
    http = console(person("approver"))
    shown = http.get(page_of("ops_approval", asked.pk)).text
    assert "refunded amount: 0 -&gt; 100" in shown
    assert 'value="approve"' not in shown
    assert "has changed since the request" in said(decide(http, asked), http)
    assert state(asked) == "PENDING"


def test_nothing_is_done_by_a_get(paid, asked, frozen):
    http = console(root())
    before = everything()
    for address in (
        *(on_payment(paid, act) for act in ("propose_reversal", "propose_refund", "propose_decision")),
        *(on_wallet(wallet, act) for act in ("suspend", "propose_unfreeze") for wallet in (frozen, paid["bob"])),
        *(reverse(f"admin:ops_approval_{act}", args=[asked.pk]) for act in ("decide", "cancel", "change")),
    ):
        query = {"reason": REASON, "amount": "1.00", "version": 1, "verdict": "approve", "seen": asked.payload_sha256}
        assert http.get(address, query).status_code in (200, 405)
        assert http.head(address, query).status_code in (200, 405)
    assert everything() == before


@pytest.mark.parametrize("role", ROLES)
def test_each_role_does_by_a_forged_post_what_it_may_and_nothing_else(paid, asked, frozen, role):
    http = console(person(role))
    forged = [
        (role in PROPOSERS, on_payment(paid, "propose_refund"), {"reason": REASON, "amount": "1.00"}),
        (role in PROPOSERS, on_wallet(frozen, "propose_unfreeze"), {"reason": REASON}),
        (role in SUSPENDERS, on_wallet(paid["bob"], "suspend"), {"reason": REASON, "version": 1}),
        (False, reverse("admin:ops_approval_cancel", args=[asked.pk]), {}),
        (role in CHECKERS, reverse("admin:ops_approval_decide", args=[asked.pk]),
         {"seen": asked.payload_sha256, "note": "no", "verdict": "reject"}),
    ]  # fmt: skip
    for allowed, address, given in forged:
        before = everything()
        answer = http.post(address, given)
        assert (answer.status_code, everything() != before) in (
            [(302, True)] if allowed else [(403, False), (404, False)]
        )


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_shown_the_buttons_of_what_it_may_do(paid, asked, frozen, role):
    http = console(person(role))
    payment = http.get(page_of("payments_payment", paid["payment"])).text
    assert (on_payment(paid, "propose_refund") in payment) == (role in PROPOSERS)
    active, suspended = (http.get(page_of("wallets_wallet", wallet)).text for wallet in (paid["bob"], frozen))
    assert (on_wallet(paid["bob"], "suspend") in active) == (role in SUSPENDERS)
    assert (on_wallet(frozen, "propose_unfreeze") in suspended) == (role in PROPOSERS)
    approval = http.get(page_of("ops_approval", asked.pk))
    if role in ("viewer", "support", "operator"):
        assert approval.status_code in (302, 403)
    else:
        assert (reverse("admin:ops_approval_decide", args=[asked.pk]) in approval.text) == (role in CHECKERS)


def test_who_may_only_ask_sees_their_own_requests(paid, asked):
    maker, other = console(person("operator")), person("support")
    shown = reverse("admin:ops_approval_changelist")
    assert list(maker.get(shown).context["cl"].result_list) == []
    own = propose(
        maker=other, action="payment.refund", target_id=paid["payment"], reason=REASON, amount=Decimal("1.00")
    )
    assert [row.pk for row in console(other).get(shown).context["cl"].result_list] == [own.pk]
    assert asked.pk in [row.pk for row in console(person("auditor")).get(shown).context["cl"].result_list]


def test_what_is_decided_leaves_the_queue_and_is_found(asked):
    http, shown = console(person("approver")), reverse("admin:ops_approval_changelist")
    decide(http, asked, "reject", note="no")

    def found(**query):
        return [row.pk for row in http.get(shown, query).context["cl"].result_list]

    assert asked.pk not in found()
    assert asked.pk in found(show="decided")
    assert found(show="all", q=str(asked.target_id)) == [asked.pk]


def test_strangers_and_users_who_are_no_staff_are_sent_to_the_login(paid, asked):
    user = person("approver")
    user.is_staff = False
    user.save()
    before = everything()
    for http in (Http(), console(user)):
        for address in (on_payment(paid, "propose_reversal"), reverse("admin:ops_approval_decide", args=[asked.pk])):
            answer = http.post(address, {"reason": REASON, "verdict": "approve", "seen": asked.payload_sha256})
            assert answer.status_code == 302
            assert "/admin/login/" in answer.url
    assert everything() == before


def test_a_post_from_another_site_is_refused(paid, asked):
    http, before = console(person("finance"), enforce_csrf_checks=True), everything()
    assert http.post(on_payment(paid, "propose_reversal"), {"reason": REASON}).status_code == 403
    assert http.post(on_wallet(paid["ann"], "suspend"), {"reason": REASON, "version": 1}).status_code == 403
    assert decide(http, asked).status_code == 403
    assert everything() == before


def test_what_does_not_exist_is_not_found():
    http = console(root())
    for pk in (uuid4(), "abc"):
        assert http.post(on_payment({"payment": pk}, "propose_reversal"), {"reason": REASON}).status_code == 404
        assert http.post(reverse("admin:ops_approval_decide", args=[pk]), {}).status_code == 404


def test_markup_in_a_reason_is_shown_as_text(paid):
    propose(
        maker=person("operator"), action="payment.reverse", target_id=paid["payment"],
        reason="<script>alert(1)</script>",
    )  # fmt: skip
    approval, http = Approval.objects.get(target_id=paid["payment"]), console(person("approver"))
    for address in (page_of("ops_approval", approval.pk), reverse("admin:audit_auditentry_changelist")):
        assert "<script>alert(1)</script>" not in http.get(address).text


@pytest.mark.parametrize("role", ROLES)
def test_the_audit_trail_is_read_by_those_who_may_and_changed_by_nobody(asked, role):
    http, entry = console(person(role)), AuditEntry.objects.filter(object_id=str(asked.pk)).get()
    listed = http.get(reverse("admin:audit_auditentry_changelist"))
    may = role in ("approver", "finance", "risk", "auditor", "administrator")
    assert listed.status_code == (200 if may else 403)
    assert (reverse("admin:audit_auditentry_changelist") in http.get("/admin/").text) == may
    before = everything()
    for name, arguments in (("add", []), ("change", [entry.pk]), ("delete", [entry.pk])):
        posted = http.post(reverse(f"admin:audit_auditentry_{name}", args=arguments), {"reason": "x", "post": "yes"})
        assert posted.status_code == 403
    assert everything() == before


def test_entries_are_found_by_object_person_and_request(asked, paid, shop):
    http, maker = console(person("auditor")), asked.maker_id
    request_id = f"req-{uuid4().hex}"
    shop.send(
        "PATCH", f"/wallets/{paid['ann']}/status", {"status": "SUSPENDED", "reason": "test"}, If_Match="*",
        X_Request_ID=request_id,
    )  # fmt: skip
    entry = AuditEntry.objects.get(object_id=str(asked.pk))

    def found(term):
        cl = http.get(reverse("admin:audit_auditentry_changelist"), {"q": term}).context["cl"]
        return {row.pk for row in cl.result_list}

    for term in (str(asked.pk), str(maker), asked.maker_name, entry.request_id):
        assert entry.pk in found(term), term
    assert found(str(asked.pk)) == {entry.pk}
    assert [AuditEntry.objects.get(pk=pk).action for pk in found(request_id)] == ["wallet.suspend"]
    assert found("' OR 1=1 --") == set()
    shown = http.get(page_of("audit_auditentry", entry.pk)).text
    assert page_of("ops_approval", asked.pk) in shown
    assert "payload_sha256" in shown
