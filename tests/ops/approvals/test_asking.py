"""Who may ask for what, and who may decide about it, until when."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection

from ops.approvals.deciding import reject
from ops.approvals.executing import expire
from ops.approvals.models import Approval
from ops.approvals.proposing import cancel, propose
from ops.tasks import sweep_approvals
from tests.ledger.test_database_rules import connect
from tests.money import snapshot
from tests.ops.approvals.deciding import ask, decide, later, outcome, refused, steps
from tests.ops.staff import ROLES, person, root
from tests.payments.holds import authorize
from walletplatform.audit.models import AuditEntry


@pytest.mark.parametrize("reason", ["", "too short", " " * 20, "x" * 201])
def test_a_reason_is_given(paid, maker, reason):
    with refused("invalid"):
        propose(maker=maker, action="payment.reverse", target_id=paid["payment"], reason=reason)


@pytest.mark.parametrize("amount", [None, Decimal("0"), Decimal("4.01"), Decimal("1.001"), Decimal("-1"), 1.5])
def test_a_refund_names_an_amount_that_can_be_given_back(paid, maker, amount):
    with refused("invalid"):
        ask(maker, paid["payment"], "payment.refund", amount=amount)


def test_nothing_is_proposed_that_the_targets_state_does_not_allow(shop, paid, maker):
    hold = authorize(shop, paid["ann"], paid["bob"], "1.00")
    for target, action in [(hold, "payment.reverse"), (paid["payment"], "payment.review"),
                           (paid["ann"], "wallet.activate")]:  # fmt: skip
        with refused("invalid"):
            ask(maker, target, action, approve=True)
    with refused("not_found"):
        ask(maker, uuid4())


def test_the_same_is_asked_for_once_at_a_time(paid, maker):
    ask(maker, paid["payment"])
    with refused("already_open"):
        ask(person("finance"), paid["payment"])


def test_of_two_who_ask_at_once_one_is_told_that_it_is_asked_for(paid):
    makers = [person("operator") for _ in range(4)]

    def one(maker):
        try:
            return outcome(lambda: ask(maker, paid["payment"]).state)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as several:
        assert sorted(several.map(one, makers)) == ["PENDING", *["already_open"] * 3]


@pytest.mark.parametrize("both", [lambda: person("finance"), root])
def test_nobody_approves_or_rejects_their_own_request(paid, both):
    somebody = both()
    approval = ask(somebody, paid["payment"])
    with refused("own_request"):
        decide(somebody, approval)
    with refused("own_request"):
        reject(checker=somebody, approval_id=approval.pk, note="no")
    assert cancel(maker=somebody, approval_id=approval.pk).state == "CANCELLED"


def test_a_request_expires_and_a_reversal_sooner(shop, paid, maker, checker):
    shop.set_status(paid["ann"], "SUSPENDED")
    reversal, unfreezing = ask(maker, paid["payment"]), ask(maker, paid["ann"], "wallet.activate")
    with later(hours=25):
        with refused("expired"):
            decide(checker, reversal)
        sweep_approvals()
        assert steps(reversal)[-1] == ("approval.expire", "approvals")
        assert Approval.objects.get(pk=reversal.pk).state == "EXPIRED"
        assert Approval.objects.get(pk=unfreezing.pk).state == "PENDING"
        with refused("not_pending"):
            decide(checker, reversal)
    with later(hours=73):
        assert expire() >= 1
    assert Approval.objects.get(pk=unfreezing.pk).state == "EXPIRED"


def test_a_rejection_says_why_and_ends_it(paid, maker, checker):
    approval = ask(maker, paid["payment"])
    with refused("invalid"):
        reject(checker=checker, approval_id=approval.pk, note="  ")
    assert reject(checker=checker, approval_id=approval.pk, note="it was right").state == "REJECTED"
    with refused("not_pending"):
        decide(person("approver"), approval)
    told = AuditEntry.objects.filter(object_id=str(approval.pk)).latest("id")
    assert (told.action, told.reason) == ("approval.reject", "it was right")


def test_only_who_asked_takes_it_back(paid, maker, checker):
    approval = ask(maker, paid["payment"])
    with refused("forbidden"):
        cancel(maker=checker, approval_id=approval.pk)
    assert cancel(maker=maker, approval_id=approval.pk).state == "CANCELLED"
    with refused("not_pending"):
        decide(checker, approval)


def test_without_an_audit_entry_nothing_is_asked_for_or_approved(paid, maker, checker):
    approval, before = ask(maker, paid["payment"]), snapshot()
    with connect("owner") as owner:
        owner.execute("REVOKE INSERT ON audit_entries FROM app")
    try:
        with pytest.raises(Exception, match="audit_entries"):
            decide(checker, approval)
        with pytest.raises(Exception, match="audit_entries"):
            ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
    finally:
        with connect("owner") as owner:
            owner.execute("GRANT INSERT ON audit_entries TO app")
    assert (Approval.objects.get(pk=approval.pk).state, snapshot()) == ("PENDING", before)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_asks_and_decides_as_the_matrix_says(paid, maker, role):
    may_ask = role in ("support", "operator", "finance", "risk")
    may_decide = role in ("approver", "finance")
    somebody, approval = person(role), ask(maker, paid["payment"])
    asked = outcome(lambda: ask(somebody, paid["payment"], "payment.refund", amount=Decimal("1.00")).state)
    decided = outcome(lambda: reject(checker=somebody, approval_id=approval.pk, note="no").state)
    assert asked == ("PENDING" if may_ask else "forbidden")
    assert decided == ("REJECTED" if may_decide else "forbidden")


def test_who_may_no_longer_log_in_neither_asks_nor_decides(paid, maker, checker):
    approval = ask(maker, paid["payment"])
    for somebody in (maker, checker):
        somebody.is_active = False
        somebody.save()
    with refused("forbidden"):
        decide(checker, approval)
    with refused("forbidden"):
        ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
