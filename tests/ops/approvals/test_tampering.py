"""A request stays as it was made: the database refuses to change it, and what was swapped is found."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

from ops.approvals.executing import sweep
from ops.approvals.models import Approval
from tests.ledger.test_database_rules import connect
from tests.ops.approvals.deciding import NOW, ask, decide, die_at, later, refused, without_rules


@pytest.mark.parametrize("role", ["default", "owner"])
def test_the_database_refuses_a_maker_who_is_the_checker(paid, maker, role):
    approval = ask(maker, paid["payment"])
    with pytest.raises(psycopg.errors.CheckViolation, match="approvals_two_people"), connect(role) as session:
        session.execute(
            "UPDATE approvals SET state = 'APPROVED', decided_by = maker_id, decided_at = now() WHERE id = %s",
            [approval.pk],
        )


@pytest.mark.parametrize(
    "change",
    [
        "payload = '{}'",
        "payload_sha256 = repeat('0', 64)",
        "amount_minor = 1",
        "reason = reason || '!'",
        "maker_id = gen_random_uuid()",
        "target_id = gen_random_uuid()",
        "expires_at = expires_at + interval '1 day'",
        "expected = '{}'",
        "action = 'payment.refund'",
        "state = 'PENDING'",
        "state = 'APPROVED'",
        "state = 'EXPIRED'",
        "state = 'EXECUTED', decided_by = gen_random_uuid(), decided_at = now(), executed_at = now(), result = '{}'",
    ],
)
def test_the_database_keeps_a_request_as_it_was_made_and_to_its_way(paid, maker, change):
    approval = ask(maker, paid["payment"])
    for role in ("default", "owner"):
        refusals = (psycopg.errors.IntegrityError, psycopg.errors.InsufficientPrivilege)
        with pytest.raises(refusals), connect(role) as session:
            session.execute(f"UPDATE approvals SET {change} WHERE id = %s", [approval.pk])


@pytest.mark.parametrize("statement", ["DELETE FROM approvals", "TRUNCATE approvals"])
def test_no_request_is_ever_deleted(paid, maker, statement):
    ask(maker, paid["payment"])
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connect("default") as app:
        app.execute(statement)
    with pytest.raises(psycopg.errors.IntegrityError), connect("owner") as owner:
        owner.execute(statement)


def test_who_decided_is_never_rewritten_and_no_end_is_left(paid, maker, checker):
    done = decide(checker, ask(maker, paid["payment"]))
    for change in ("decided_by = gen_random_uuid()", "note = 'x'", "state = 'FAILED'", "state = 'PENDING'"):
        with pytest.raises(psycopg.errors.IntegrityError), connect("owner") as owner:
            owner.execute(f"UPDATE approvals SET {change} WHERE id = %s", [done.pk])


def test_the_database_refuses_an_approval_past_its_time(paid, maker):
    approval = ask(maker, paid["payment"])
    with later(hours=25), pytest.raises(psycopg.errors.IntegrityError, match="lasts"), connect("default") as app:
        app.execute(
            "UPDATE approvals SET state = 'APPROVED', decided_by = gen_random_uuid(), decided_at = now()"
            " WHERE id = %s", [approval.pk],
        )  # fmt: skip


def test_a_payload_that_was_swapped_is_not_approved(paid, maker, checker):
    approval = ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
    with without_rules() as owner:
        owner.execute("""UPDATE approvals SET payload = '{"amount": "4.00"}' WHERE id = %s""", [approval.pk])
    with refused("tampered"):
        decide(checker, approval)


def test_a_payload_that_was_swapped_with_its_hash_is_not_what_the_checker_saw(paid, maker, checker):
    approval = ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
    swapped = Approval.objects.get(pk=approval.pk)
    swapped.payload = {"amount": "4.00"}
    with without_rules() as owner:
        owner.execute(
            """UPDATE approvals SET payload = '{"amount": "4.00"}', payload_sha256 = %s WHERE id = %s""",
            [swapped.digest(), approval.pk],
        )
    with refused("tampered"):
        decide(checker, approval)


def test_what_was_swapped_after_the_approval_is_not_carried_out(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
    die_at("approval.approved", checker, approval)
    with without_rules() as owner:
        owner.execute("""UPDATE approvals SET payload = '{"amount": "4.00"}' WHERE id = %s""", [approval.pk])
    sweep(patience=NOW)
    approval.refresh_from_db()
    assert (approval.state, approval.result["code"], shop.balance(paid["bob"])) == ("FAILED", "tampered", "4.00")
