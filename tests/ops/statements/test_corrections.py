"""An exception ends in an entry that two people agree on, and exception, request and payment lead to each other."""

from __future__ import annotations

import pytest
from django.urls import reverse

from ledger.models import Entry
from ops.approvals.deciding import approve, reject
from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.statements.handling import propose_correction, settle_corrections
from ops.statements.matching import match_source
from ops.statements.models import MatchedEntry, StatementException, StatementMatch, StatementSource
from tests.ledger.test_database_rules import connect
from tests.ops.staff import console, person
from tests.ops.statements.files import days_ago, source
from tests.ops.statements.test_matching import matches, take, topped
from tests.ops.statements.test_pages import REASON, everything, page

OLD = f"{days_ago(5)}T12:00:00Z"


@pytest.fixture
def bank(rare_asset):
    return source(rare_asset)


def the_exception(bank):
    match_source(bank.pk)
    return StatementException.objects.get(source=bank)


def missing_in_ledger(shop, bank):
    take(bank, [{"amount": "4.00", "day": days_ago(5)}])
    return the_exception(bank), shop.wallet(bank.asset_id, holding=None)


def missing_outside(shop, bank):
    wallet = shop.wallet(bank.asset_id)
    shop.post("/topups", {"wallet_id": wallet, "amount": "9.00", "effective_at": OLD})
    take(bank, [{"amount": "1.00", "day": days_ago(5)}])
    topped(shop, bank.asset_id, "1.00", effective_at=OLD)
    return the_exception(bank), wallet


def amount_differs(shop, bank):
    wallet = shop.wallet(bank.asset_id)
    named = shop.post("/topups", {"wallet_id": wallet, "amount": "8.00", "effective_at": OLD}).json()["id"]
    take(bank, [{"amount": "7.25", "day": days_ago(5), "reference": named}])
    return the_exception(bank), wallet


@pytest.mark.parametrize(
    ("made", "balance"), [(missing_in_ledger, "4.00"), (missing_outside, "0.00"), (amount_differs, "7.25")]
)
def test_an_entry_that_two_people_agree_on_settles_it(shop, bank, made, balance):
    found, wallet = made(shop, bank)
    maker = person("finance")
    answer = console(maker).post(page(found, "correct"), {"wallet": wallet, "reason": REASON})
    assert answer.status_code == 302, answer.text
    approval = Approval.objects.get(target_id=wallet)
    found.refresh_from_db()
    assert (found.state, found.approval_id, approval.payload["reference"]) == ("CORRECTING", approval.pk, str(found.pk))
    match_source(bank.pk)
    assert settle_corrections() == 0

    approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)
    assert settle_corrections() == 1

    found.refresh_from_db()
    assert (found.state, shop.balance(wallet)) == ("CORRECTED", balance)
    match = StatementMatch.objects.get(source=bank, rule="correction")
    assert (match.difference, match.confidence) == (0, 100)
    payment = Approval.objects.get(pk=approval.pk).result["payment_id"]
    shown = console(maker).get(page(found)).text
    for linked in (
        reverse("admin:ops_approval_change", args=[approval.pk]),
        reverse("admin:payments_payment_change", args=[payment]),
    ):  # fmt: skip
        assert linked in shown
    before = matches(bank)
    assert match_source(bank.pk).lines == 0
    assert (matches(bank), StatementException.objects.filter(source=bank).count()) == (before, 1)


def test_a_correction_that_is_rejected_leaves_it_open(shop, bank):
    found, wallet = missing_in_ledger(shop, bank)
    propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
    approval = Approval.objects.get(target_id=wallet)
    reject(checker=person("approver"), approval_id=approval.pk, note="not this customer")

    assert settle_corrections() == 1
    found.refresh_from_db()
    assert (found.state, shop.balance(wallet)) == ("OPEN", "0.00")
    again = propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
    assert again.state == "CORRECTING"


def test_what_waits_for_a_correction_is_matched_with_nothing_that_comes_late(shop, bank):
    found, wallet = missing_outside(shop, bank)
    propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
    entry = Entry.objects.get(pk=found.entry_id)
    take(bank, [{"amount": "9.00", "day": days_ago(1), "reference": str(entry.transaction_id)}])
    assert match_source(bank.pk).lines == 0

    approval = Approval.objects.get(target_id=wallet)
    approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)
    assert settle_corrections() == 1
    found.refresh_from_db()
    assert found.state == "CORRECTED"


def test_what_a_correction_makes_is_matched_with_no_other_line_before_it_is_settled(shop, bank):
    StatementSource.objects.filter(pk=bank.pk).update(window_days=10)  # the correction is of today
    take(bank, [{"amount": "4.00", "day": days_ago(5)}, {"amount": "4.00", "day": days_ago(5)}])
    match_source(bank.pk)
    first, second = StatementException.objects.filter(source=bank).order_by("id")
    wallet = shop.wallet(bank.asset_id)
    propose_correction(user=person("finance"), exception_id=first.pk, wallet_id=wallet, reason=REASON)
    approval = Approval.objects.get(target_id=wallet)
    approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)

    assert match_source(bank.pk).lines == 0
    assert settle_corrections() == 1
    for found, state in ((first, "CORRECTED"), (second, "OPEN")):
        found.refresh_from_db()
        assert found.state == state


def test_a_correction_whose_entry_is_matched_otherwise_is_for_a_person(shop, bank):
    found, wallet = missing_in_ledger(shop, bank)
    propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
    approval = Approval.objects.get(target_id=wallet)
    done = approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)
    match = StatementMatch.objects.create(
        id=found.pk, source=bank, rule="amount", confidence=60, reason="x", difference=0, made_at=found.opened_at
    )
    entry = Entry.objects.get(transaction_id=done.result["payment_id"], account_id=bank.account_id)
    MatchedEntry.objects.create(entry_id=entry.pk, match=match)

    assert settle_corrections() == 1
    found.refresh_from_db()
    assert found.state == "OPEN"


def test_nobody_acts_on_an_exception_while_its_source_is_matched(shop, bank):
    found, wallet = missing_in_ledger(shop, bank)
    http, before = console(person("finance")), everything()
    with connect("owner") as owner:
        owner.execute("SELECT FROM statement_sources WHERE id = %s FOR NO KEY UPDATE", [bank.pk])
        for act, given in (("correct", {"wallet": wallet, "reason": REASON}), ("explain", {"reason": REASON})):
            answer = http.post(page(found, act), given)
            assert (answer.status_code, "Others are at it right now" in answer.text) == (200, True)
        owner.rollback()
    assert everything() == before


def test_what_was_matched_beside_its_correction_is_for_a_person_and_holds_up_no_other(shop, bank):
    found, wallet = missing_outside(shop, bank)
    propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
    approval = Approval.objects.get(target_id=wallet)
    approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)
    match = StatementMatch.objects.filter(source=bank).first()
    MatchedEntry.objects.create(entry_id=found.entry_id, match=match)

    assert settle_corrections() == 1
    found.refresh_from_db()
    assert found.state == "OPEN"
    with pytest.raises(Refused, match="matched otherwise"):
        propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)


def test_what_was_paid_in_parts_is_one_movement(shop, bank):
    wallet = shop.wallet(bank.asset_id)
    named = shop.post("/topups", {"wallet_id": wallet, "amount": "8.00", "effective_at": OLD}).json()["id"]
    take(bank, [{"amount": part, "day": days_ago(5), "reference": named} for part in ("3.00", "5.00")])
    match_source(bank.pk)
    assert StatementMatch.objects.get(source=bank).rule == "several_lines"
    assert not StatementException.objects.filter(source=bank).exists()


def test_two_lines_about_one_entry_are_not_both_corrected(shop, bank):
    wallet = shop.wallet(bank.asset_id)
    named = shop.post("/topups", {"wallet_id": wallet, "amount": "8.00", "effective_at": OLD}).json()["id"]
    take(bank, [{"amount": part, "day": days_ago(5), "reference": named} for part in ("3.00", "4.00")])
    match_source(bank.pk)
    one, other = StatementException.objects.filter(source=bank).order_by("id")
    propose_correction(user=person("finance"), exception_id=one.pk, wallet_id=wallet, reason=REASON)
    with pytest.raises(Refused, match="same entry"):
        propose_correction(user=person("finance"), exception_id=other.pk, wallet_id=wallet, reason=REASON)


def test_what_cannot_be_corrected_so_changes_nothing(shop, bank):
    found, wallet = missing_in_ledger(shop, bank)
    elsewhere = shop.wallet("EUR")
    before = everything()
    for who, target, says in (
        ("operator", wallet, "Your role"), ("finance", elsewhere, "The wallet is of EUR"),
        ("finance", found.pk, "There is no such wallet"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=says):
            propose_correction(user=person(who), exception_id=found.pk, wallet_id=target, reason=REASON)
    assert everything() == before
    found.refresh_from_db()
    assert (found.state, found.approval_id) == ("OPEN", None)
    propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
    with pytest.raises(Refused, match="It is correction proposed"):
        propose_correction(user=person("finance"), exception_id=found.pk, wallet_id=wallet, reason=REASON)
