"""Maker and checker: what moves money back, or lets it move again, needs two people and happens once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from ledger.idempotency import KeyedRequest
from ops.approvals.deciding import approve, reject
from ops.approvals.executing import execute_approved, expire, sweep
from ops.approvals.models import Approval
from ops.approvals.proposing import cancel, propose
from ops.approvals.refusing import Refused
from ops.demo import set_shift
from ops.tasks import sweep_approvals
from tests.conftest import ROOT
from tests.ledger.test_database_rules import connect
from tests.money import rows, snapshot, value
from tests.ops.staff import ROLES, person, root
from tests.payments.holds import act, authorize
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.principal import staff
from wallets.lifecycle import change_status_once

REASON = "the customer paid twice"
NOW = timedelta(0)


@pytest.fixture
def maker():
    return person("operator")


@pytest.fixture
def checker():
    return person("approver")


@pytest.fixture
def paid(shop):
    """A payment of 4.00 between wallets that hold 6.00 and 4.00 after it."""
    ann, bob = shop.wallet(holding="10.00"), shop.wallet()
    return {"ann": ann, "bob": bob, "payment": shop.pay(ann, bob, "4.00").json()["id"]}


def ask(maker, target, action="payment.reverse", **given):
    return propose(maker=maker, action=action, target_id=target, reason=REASON, **given)


def decide(checker, approval, **more):
    return approve(checker=checker, approval_id=approval.pk, **({"seen": approval.payload_sha256} | more))


def steps(approval):
    told = AuditEntry.objects.filter(object_id=str(approval.pk)).order_by("id")
    return [(entry.action, entry.actor_name) for entry in told]


def outcome(act):
    """What an act answers, or the code with which it is refused."""
    try:
        return act()
    except Refused as refusal:
        return refusal.code


def children(payment):
    return rows("SELECT kind, status FROM payments WHERE parent_id = %s ORDER BY id", payment)


@contextmanager
def refused(code):
    before = snapshot()
    with pytest.raises(Refused) as refusal:
        yield
    assert refusal.value.code == code
    assert snapshot() == before


@contextmanager
def later(**span):
    set_shift(timedelta(**span))
    try:
        yield
    finally:
        set_shift(NOW)


@contextmanager
def without_rules():
    """Somebody with the owner's rights has switched the table's rules off."""
    with connect("owner") as owner:
        owner.execute("ALTER TABLE approvals DISABLE TRIGGER approvals_move")
        owner.commit()
        yield owner
        owner.execute("ALTER TABLE approvals ENABLE TRIGGER approvals_move")


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


def test_what_has_changed_since_the_request_is_not_approved(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"], "payment.refund", amount=Decimal("1.00"))
    act(shop, paid["payment"], "refund", {"amount": "0.50"})
    with pytest.raises(Refused, match="refunded amount: 0 -> 50") as refusal:
        decide(checker, approval)
    assert (refusal.value.code, shop.balance(paid["bob"])) == ("target_changed", "3.50")


def test_a_wallet_that_has_changed_since_the_request_stays_as_it_is(shop, paid, maker, checker):
    shop.set_status(paid["ann"], "SUSPENDED")
    approval = ask(maker, paid["ann"], "wallet.activate")
    shop.set_status(paid["ann"], "ACTIVE")
    shop.set_status(paid["ann"], "SUSPENDED")
    with refused("target_changed"):
        decide(checker, approval)


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


def test_the_database_refuses_an_approval_past_its_time(paid, maker):
    approval = ask(maker, paid["payment"])
    with later(hours=25), pytest.raises(psycopg.errors.IntegrityError, match="lasts"), connect("default") as app:
        app.execute(
            "UPDATE approvals SET state = 'APPROVED', decided_by = gen_random_uuid(), decided_at = now()"
            " WHERE id = %s", [approval.pk],
        )  # fmt: skip


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


@pytest.mark.parametrize("action", ["payment.reverse", "wallet.activate"])
def test_approved_by_several_at_once_it_happens_once(shop, paid, maker, action):
    target = paid["payment" if action == "payment.reverse" else "ann"]
    if action == "wallet.activate":
        shop.set_status(target, "SUSPENDED")
    approval, checkers = ask(maker, target, action), [person("approver") for _ in range(6)]

    def one(checker):
        try:
            return outcome(lambda: decide(checker, approval).state)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as several:
        answers = sorted(several.map(one, checkers))
    assert answers == ["EXECUTED", *["not_pending"] * 5]
    assert [action for action, _ in steps(approval)].count("approval.execute") == 1
    assert children(paid["payment"]) == ([("reversal", "SETTLED")] if action == "payment.reverse" else [])


def die_at(point, checker, approval):
    """Approve in a process that is killed at ``point``."""
    code = (
        "import django; django.setup()\n"
        "from ops.approvals.deciding import approve; from walletplatform.identity.models import User\n"
        f"approve(checker=User.objects.get(pk='{checker.pk}'), approval_id='{approval.pk}',"
        f" seen='{approval.payload_sha256}')"
    )
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    env = os.environ | {
        "FAIL_POINT": point, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "walletplatform.settings",
    }  # fmt: skip
    died = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=False, capture_output=True, text=True)
    assert died.returncode == -9, died.stderr


@pytest.mark.parametrize("point", ["approval.approved", "money.written", "money.committed", "approval.executed"])
def test_killed_on_the_way_it_happens_once_by_the_sweep(shop, paid, maker, checker, point):
    approval = ask(maker, paid["payment"])
    die_at(point, checker, approval)
    assert Approval.objects.get(pk=approval.pk).state == "APPROVED"
    assert sweep() == 0
    assert (sweep(patience=NOW), sweep(patience=NOW)) == (1, 0)
    assert Approval.objects.get(pk=approval.pk).state == "EXECUTED"
    assert (children(paid["payment"]), shop.balance(paid["ann"])) == ([("reversal", "SETTLED")], "10.00")


@pytest.mark.parametrize("point", ["approval.approved", "approval.executed"])
def test_killed_on_the_way_a_wallet_is_unfrozen_once(shop, paid, maker, checker, point):
    shop.set_status(paid["ann"], "SUSPENDED")
    approval = ask(maker, paid["ann"], "wallet.activate")
    die_at(point, checker, approval)
    assert sweep(patience=NOW) == 1
    assert Approval.objects.get(pk=approval.pk).state == "EXECUTED"
    shown = shop.get(f"/wallets/{paid['ann']}").json()
    assert (shown["status"], shown["version"]) == ("ACTIVE", 3)


@pytest.mark.parametrize("action", ["payment.reverse", "wallet.activate"])
def test_carried_out_by_several_at_once_it_happens_once(shop, paid, maker, checker, action):
    target = paid["payment" if action == "payment.reverse" else "ann"]
    if action == "wallet.activate":
        shop.set_status(target, "SUSPENDED")
    for _ in range(3):
        approval = ask(maker, target, action)
        die_at("approval.approved", checker, approval)

        def one(approval_id):
            try:
                return execute_approved(approval_id).state
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as several:
            assert set(several.map(one, [approval.pk] * 6)) <= {"EXECUTED", "APPROVED"}
        sweep(patience=NOW)
        assert Approval.objects.get(pk=approval.pk).state == "EXECUTED"
        assert [step for step, _ in steps(approval)].count("approval.execute") == 1
        if action == "payment.reverse":
            assert children(target) == [("reversal", "SETTLED")]
            break
        shop.set_status(target, "SUSPENDED")


def test_a_run_that_waited_for_the_wallet_finds_that_another_with_its_key_has_changed_it(shop, paid, maker):
    shop.set_status(paid["ann"], "SUSPENDED")
    request = KeyedRequest(maker.pk, f"approval:{uuid4()}", bytes(32))

    def change(_):
        try:
            return change_status_once(
                request, principal=staff(maker.pk), wallet_id=paid["ann"], status="ACTIVE", reason=REASON,
                expected_etag='"2"',
            )  # fmt: skip
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as several, connect("owner") as owner:
        owner.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [paid["ann"]])
        runs = [several.submit(change, place) for place in range(3)]
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%accounts%%'"
        while value(waiting) < 3 and not any(run.done() for run in runs):
            time.sleep(0.01)
        owner.rollback()
        answers = [run.result() for run in runs]
    assert sorted(answer.replayed for answer in answers) == [False, True, True]
    assert len({answer.body for answer in answers}) == 1


def test_what_cannot_be_done_now_stays_approved_until_the_sweep(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"])
    with connect("owner") as owner:
        owner.execute("SELECT FROM accounts WHERE id = %s FOR UPDATE", [paid["ann"]])
        assert decide(checker, approval).state == "APPROVED"
        owner.rollback()
    assert sweep(patience=NOW) == 1
    assert (shop.balance(paid["ann"]), value("SELECT state FROM approvals WHERE id = %s", approval.pk)) == (
        "10.00", "EXECUTED",
    )  # fmt: skip


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
