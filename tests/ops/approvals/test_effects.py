"""What two people agree on happens as it was asked for, or has failed and says why."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest

from ops.approvals.executing import sweep
from ops.approvals.refusing import Refused
from tests.money import rows
from tests.ops.approvals.deciding import NOW, ask, decide, die_at, refused, steps
from tests.ops.staff import person
from tests.payments.holds import act, authorize
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client


def test_a_reversal_happens_once_another_person_approves_it(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"])
    assert (shop.balance(paid["ann"]), approval.state, approval.amount_minor) == ("6.00", "PENDING", 400)

    done = decide(checker, approval, note="checked the order")

    assert (done.state, shop.balance(paid["ann"]), shop.balance(paid["bob"])) == ("EXECUTED", "10.00", "0.00")
    assert (done.result["status"], done.decided_by, done.note) == (201, checker.pk, "checked the order")
    [(made_by, key)] = rows(
        "SELECT principal_id, idempotency_key FROM payments WHERE id = %s", done.result["payment_id"]
    )
    assert (made_by, key) == (maker.pk, f"approval:{approval.pk}")
    assert steps(approval) == [
        ("approval.propose", maker.username), ("approval.approve", checker.username), ("approval.execute", "approvals"),
    ]  # fmt: skip


def test_a_refund_gives_back_exactly_the_amount_that_was_proposed(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.5"))
    assert approval.payload == {"amount": "1.50"}
    assert decide(checker, approval).state == "EXECUTED"
    assert (shop.balance(paid["ann"]), shop.balance(paid["bob"])) == ("7.50", "2.50")


def test_what_was_captured_of_a_hold_is_refunded(shop, paid, maker, checker):
    hold = authorize(shop, paid["ann"], paid["bob"], "3.00")
    act(shop, hold, "capture", {"amount": "2.00"})
    with refused("invalid"):
        ask(maker, hold, "payment.refund", amount=Decimal("2.01"))
    assert decide(checker, ask(maker, hold, "payment.refund", amount=Decimal("2.00"))).state == "EXECUTED"
    assert shop.balance(paid["bob"]) == "4.00"


def test_a_suspended_wallet_is_unfrozen_by_two_people(shop, paid, maker, checker):
    shop.set_status(paid["ann"], "SUSPENDED")
    approval = ask(maker, paid["ann"], "wallet.activate")
    assert shop.get(f"/wallets/{paid['ann']}").json()["status"] == "SUSPENDED"
    assert decide(checker, approval).state == "EXECUTED"
    assert shop.pay(paid["ann"], paid["bob"], "1.00").status_code == 201
    told = AuditEntry.objects.filter(object_id=paid["ann"]).latest("id")
    assert (told.action, told.actor_kind, told.actor_name) == ("wallet.activate", "staff", maker.username)


@pytest.mark.parametrize(("verdict", "status", "left"), [(True, "SETTLED", "5.00"), (False, "FAILED", "6.00")])
def test_a_payment_under_review_is_decided_by_two_people(shop, paid, maker, checker, settings, verdict, status, left):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    waiting = shop.pay(paid["ann"], paid["bob"], "1.00", metadata={"policy": "review"}).json()["id"]
    done = decide(checker, ask(maker, waiting, "payment.review", approve=verdict))
    assert (done.state, shop.get(f"/payments/{waiting}").json()["status"]) == ("EXECUTED", status)
    assert shop.balance(paid["ann"]) == left


def test_a_payment_that_is_let_happen_and_cannot_any_more_is_a_failed_approval(shop, paid, maker, checker, settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    waiting = shop.pay(paid["ann"], paid["bob"], "6.00", metadata={"policy": "review"}).json()["id"]
    shop.pay(paid["ann"], paid["bob"], "1.00")
    done = decide(checker, ask(maker, waiting, "payment.review", approve=True))
    assert (done.state, done.result["code"]) == ("FAILED", "failed")
    assert done.result["detail"]


def test_what_the_money_path_declines_is_a_failed_approval_with_its_reason(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"])
    shop.pay(paid["bob"], paid["ann"], "3.00")
    done = decide(checker, approval)
    assert (done.state, done.result["code"]) == ("FAILED", "insufficient_funds")
    assert steps(done)[-1] == ("approval.fail", "approvals")
    assert ask(maker, paid["payment"]).state == "PENDING"


def test_what_has_changed_since_the_request_is_not_approved(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
    act(shop, paid["payment"], "refund", {"amount": "0.50"})
    with pytest.raises(Refused, match="refunded amount: 0 -> 50") as refusal:
        decide(checker, approval)
    assert (refusal.value.code, shop.balance(paid["bob"])) == ("target_changed", "3.50")


def test_a_wallet_that_has_changed_since_the_request_stays_as_it_is(shop, paid, maker, checker):
    shop.set_status(paid["ann"], "SUSPENDED")
    approval = ask(maker, paid["ann"], "wallet.activate")
    shop.unfreeze(paid["ann"])
    shop.set_status(paid["ann"], "SUSPENDED")
    with refused("target_changed"):
        decide(checker, approval)


def test_a_client_that_has_changed_since_the_approval_stays_as_it_is():
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=["payments:write"], active=False)
    approval = ask(person("administrator"), client.pk, "client.let_in")
    die_at("approval.approved", person("administrator"), approval)
    client.new_secret()
    client.save()
    sweep(patience=NOW)
    approval.refresh_from_db()
    client.refresh_from_db()
    assert (approval.state, approval.result["code"], client.active) == ("FAILED", "invalid_state", False)
