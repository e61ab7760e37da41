"""What is approved happens once, whoever else is at it and wherever a process is killed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from ledger.idempotency import KeyedRequest
from ops.approvals.clients import let_in
from ops.approvals.executing import execute_approved, sweep
from ops.approvals.models import Approval
from tests.ledger.test_database_rules import connect
from tests.money import value
from tests.ops.approvals.deciding import (
    NOW,
    REASON,
    ask,
    children,
    decide,
    die_at,
    later,
    outcome,
    steps,
    without_rules,
)
from tests.ops.staff import person
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client
from walletplatform.identity.principal import staff
from wallets.lifecycle import change_status_once


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


def test_killed_on_the_way_what_did_not_come_about_has_failed(shop, paid, maker, checker, settings):
    settings.PAYMENT_POLICY = "tests.payments.policies.by_metadata"
    waiting = shop.pay(paid["ann"], paid["bob"], "6.00", metadata={"policy": "review"}).json()["id"]
    shop.pay(paid["ann"], paid["bob"], "1.00")
    approval = ask(maker, waiting, "payment.review", approve=True)
    die_at("approval.executed", checker, approval)
    assert sweep(patience=NOW) == 1
    approval.refresh_from_db()
    assert (approval.state, shop.get(f"/payments/{waiting}").json()["status"]) == ("FAILED", "FAILED")


def test_whoever_finds_that_another_has_carried_it_out_says_so_too():
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=["payments:write"], active=False)
    approval = ask(person("administrator"), client.pk, "client.let_in")
    die_at("approval.approved", person("administrator"), approval)

    def one(_):
        try:
            return let_in(Approval.objects.get(pk=approval.pk)).done
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as several, connect("owner") as owner:
        owner.execute("SELECT FROM identity_clients WHERE id = %s FOR UPDATE", [client.pk])
        runs = [several.submit(one, place) for place in range(3)]
        waiting = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%%_clients%%'"
        )
        while value(waiting) < 3 and not any(run.done() for run in runs):
            time.sleep(0.01)
        owner.rollback()
        assert [run.result() for run in runs] == [True, True, True]
    assert execute_approved(approval.pk).state == "EXECUTED"
    assert AuditEntry.objects.filter(object_id=str(client.pk), action="client.activate").count() == 1


@pytest.mark.parametrize("point", ["approval.approved", "approval.executed"])
def test_killed_on_the_way_a_client_is_let_in_once(point):
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=["payments:write"], active=False)
    approval = ask(person("administrator"), client.pk, "client.let_in")
    die_at(point, person("administrator"), approval)
    assert sweep(patience=NOW) == 1
    assert Approval.objects.get(pk=approval.pk).state == "EXECUTED"
    assert AuditEntry.objects.filter(object_id=str(client.pk), action="client.activate").count() == 1


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


def test_what_has_happened_is_executed_though_its_outcome_is_written_a_day_later(shop, paid, maker, checker):
    approval = ask(maker, paid["payment"])
    die_at("approval.approved", checker, approval)
    with later(hours=25):
        with connect("owner") as owner:
            # What came of it cannot be written: the money is moved by a transaction of its own.
            owner.execute("SELECT FROM approvals WHERE id = %s FOR UPDATE", [approval.pk])
            assert sweep(patience=NOW) == 0
            owner.rollback()
        assert shop.balance(paid["ann"]) == "10.00"
        assert sweep(patience=NOW) == 1
    assert Approval.objects.get(pk=approval.pk).state == "EXECUTED"


def test_what_breaks_for_a_day_has_failed_and_may_be_asked_for_again(checker):
    client = Client.objects.create(name=uuid4().hex, secret_hash=b"", scopes=["payments:write"], active=False)
    approval = ask(person("administrator"), client.pk, "client.let_in")
    die_at("approval.approved", person("administrator"), approval)
    with without_rules() as owner:
        owner.execute("DELETE FROM identity_clients WHERE id = %s", [client.pk])
    assert sweep(patience=NOW) == 0
    with later(hours=25):
        assert sweep(patience=NOW) == 1
    approval.refresh_from_db()
    assert (approval.state, approval.result) == ("FAILED", {"code": "broken", "detail": "DoesNotExist"})
    assert steps(approval)[-1] == ("approval.fail", "approvals")
