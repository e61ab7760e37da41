"""Reconciliation finds nothing where nothing is wrong, and whatever a superuser has planted where it is."""

from __future__ import annotations

import json
import os
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.test import Client, override_settings
from django.urls import reverse

from events import consuming
from events.consumers import CONSUMERS
from events.sequencer import sequence
from ledger.assets import create_asset
from ledger.database import close_money_pool
from ops.reconciliation.comparing import compare
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.reconciliation.runs import ask, ask_for_slot, execute
from ops.reconciliation.scopes import Span
from ops.tasks import reconcile_hourly, reconcile_nightly, reconcile_waiting
from payments.expiry import expire_holds
from tests.actors import actor
from tests.conftest import admin_url, drop_database, make_database, use_database
from tests.ledger.test_database_rules import connect
from tests.money import rows, value
from tests.payments.holds import act, authorize, wait_until_due
from walletplatform.identity.models import User

CONSUMED = ("figures", "holds", "settlement")
# What is planted; the finding: kind, about, expected, actual; whether a run over what is new finds it too.
PLANTS = {
    "an entry's amount": (
        "UPDATE ledger_entries SET amount = amount + 1 WHERE transaction_id = '{paid}' AND leg = 1",
        ("transaction_unbalanced", "{paid}", {"EUR": "0"}, {"EUR": "-1"}), True,
    ),
    "an entry's amount, and so the sum of all": (
        "UPDATE ledger_entries SET amount = amount + 1 WHERE transaction_id = '{paid}' AND leg = 1",
        ("asset_entries", "EUR", {"entries": "0"}, {"entries": "-1"}), True,
    ),
    "an entry's direction": (
        "UPDATE ledger_entries SET direction = 'CREDIT' WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_balance", "{ann}", {"balance": "1400", "seq": 2}, {"balance": "600", "seq": 2}), True,
    ),
    "an entry moved to another account": (
        "UPDATE ledger_entries SET account_id = '{bob}', seq = 999 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_balance", "{ann}", {"balance": "1000", "seq": 1}, {"balance": "600", "seq": 2}), True,
    ),
    "an entry deleted": (
        "DELETE FROM ledger_entries WHERE transaction_id = '{paid}' AND leg = 2",
        ("transaction_entries", "{paid}", {"entries": 2}, {"entries": 1, "legs": [1]}), True,
    ),
    "a transaction deleted": (
        "DELETE FROM transactions WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"transaction": "transfer"}, {"transaction": None}), True,
    ),
    "a transaction deleted, and its entries left": (
        "DELETE FROM transactions WHERE id = '{paid}'",
        ("entry_orphaned", "{entry}", {"transaction": "{paid}"}, {"transaction": None}), True,
    ),
    "a transaction deleted with its entries": (
        "DELETE FROM ledger_entries WHERE transaction_id = '{paid}'; DELETE FROM transactions WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"transaction": "transfer"}, {"transaction": None, "entries": []}), True,
    ),
    "an account deleted": (
        "DELETE FROM accounts WHERE id = '{ann}'",
        ("wallet_account", "{ann}", {"status": "ACTIVE"}, {"account": None}), True,
    ),
    "entries of nothing": (
        "INSERT INTO ledger_entries (id, transaction_id, entry_count, leg, account_id, direction, amount, seq,"
        " balance_after) VALUES ('{made}', gen_random_uuid(), 2, 1, gen_random_uuid(), 'DEBIT', 1, 1, 1)",
        ("entry_orphaned", "{made}", {}, {"transaction": None, "account": None}), False,
    ),
    "a transaction of no payment": (
        "INSERT INTO transactions SELECT '{made}'::uuid, 'transfer', 2, booked_at, effective_at FROM transactions"
        " WHERE id = '{paid}'",
        ("payment_posting", "{made}", {"transaction": None}, {"transaction": "transfer"}), False,
    ),
    "a balance": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'",
        ("account_balance", "{ann}", {"balance": "600"}, {"balance": "601", "last_balance_after": "600"}), True,
    ),
    "a balance, and so the sum of all": (
        "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'",
        ("asset_balances", "EUR", {"balances": "0"}, {"balances": "1"}), False,
    ),
    "a balance after": (
        "UPDATE ledger_entries SET balance_after = balance_after + 1 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_chain", "{ann}", {"seq": 2, "balance_after": "600"}, {"seq": 2, "balance_after": "601"}), True,
    ),
    "a seq": (
        "UPDATE ledger_entries SET seq = 3 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_chain", "{ann}", {"seq": 2}, {"seq": 3}), True,
    ),
    "an entry out of old times": (
        "UPDATE ledger_entries SET balance_after = balance_after - 1 WHERE account_id = '{old}' AND seq = 1",
        ("account_chain", "{old}", {"seq": 1, "balance_after": "500"}, {"balance_after": "499"}), False,
    ),
    "what is held": (
        "UPDATE accounts SET held = 1 WHERE id = '{ann}'",
        ("account_held", "{ann}", {"held": "0", "authorizations": 0}, {"held": "1"}), True,
    ),
    "too much held": (
        "ALTER TABLE accounts DROP CONSTRAINT accounts_funds; UPDATE accounts SET held = 601 WHERE id = '{ann}'",
        ("account_overspent", "{ann}", {"available_at_least": "0"}, {"available": "-1", "balance": "600"}), True,
    ),
    "an overdraft of once": (
        "UPDATE ledger_entries SET balance_after = -5 WHERE transaction_id = '{paid}' AND leg = 1",
        ("account_was_overspent", "{ann}", {"balance_after_at_least": "0"}, {"balance_after": "-5"}), True,
    ),
    "a payment's amount": (
        "UPDATE payments SET amount = amount + 1 WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"entries": ["DEBIT {ann} 401", "CREDIT {bob} 401"]},
         {"entries": ["DEBIT {ann} 400", "CREDIT {bob} 400"]}), True,
    ),
    "a payment's receiver": (
        "UPDATE payments SET receiver_id = '{old}' WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"entries": ["DEBIT {ann} 400", "CREDIT {old} 400"]},
         {"entries": ["DEBIT {ann} 400", "CREDIT {bob} 400"]}), True,
    ),
    "a payment's kind": (
        "UPDATE payments SET kind = 'spend' WHERE id = '{paid}'",
        ("payment_posting", "{paid}", {"transaction": "spend"}, {"transaction": "transfer"}), True,
    ),
    "a status": (
        "UPDATE payments SET status = 'VOIDED' WHERE id = '{paid}'",
        ("payment_told", "{paid}", {"status": "VOIDED", "told": {"voided": 1}}, {"told": {"settled": 1}}), True,
    ),
    "a failure without its reason": (
        "DELETE FROM transaction_failures WHERE payment_id = '{failed}'",
        ("payment_failure", "{failed}", {"status": "FAILED", "reason": True}, {"reason": None}), True,
    ),
    "a reason without its failure": (
        "INSERT INTO transaction_failures SELECT '{paid}'::uuid, code, category, detail, created_at"
        " FROM transaction_failures WHERE payment_id = '{failed}'",
        ("payment_failure", "{paid}", {"status": "SETTLED", "reason": False}, {"reason": "insufficient_funds"}), True,
    ),
    "what was captured": (
        "UPDATE payments SET captured_amount = captured_amount + 1 WHERE id = '{captured}'",
        ("payment_counters", "{captured}", {"captured": "100"}, {"captured": "101"}), True,
    ),
    "what was given back": (
        "UPDATE payments SET refunded_amount = 0 WHERE id = '{refunded}'",
        ("payment_counters", "{refunded}", {"refunded": "50"}, {"refunded": "0"}), True,
    ),
    "an event deleted": (
        "DELETE FROM events WHERE subject = '{paid}'",
        ("payment_told", "{paid}", {"told": {"settled": 1}}, {"told": {}}), True,
    ),
    "an event deleted, and its place left": (
        "DELETE FROM events WHERE subject = '{paid}'",
        ("log_gap", "{position}", {"position": "{position}"}, {"position": None}), True,
    ),
    "an end told twice": (
        "INSERT INTO events (position, outbox_id, event_id, type, subject, time, correlation_id, traceparent, data,"
        " asset, wallet_ids, sequenced_at) SELECT 1 + (SELECT max(position) FROM events), -1, gen_random_uuid(), type,"
        " subject, time, correlation_id, traceparent, data, asset, wallet_ids, sequenced_at FROM events"
        " WHERE subject = '{paid}'",
        ("payment_told", "{paid}", {"told": {"settled": 1}}, {"told": {"settled": 2}}), True,
    ),
    "a payment that never was": (
        "UPDATE events SET subject = '{made}' WHERE position = {position}",
        ("event_untrue", "{position}", {"told": "payment.settled", "about": "{made}"}, {"payment": None}), True,
    ),
    "a wallet's status": (
        "UPDATE wallets SET status = 'SUSPENDED' WHERE id = '{ann}'",
        ("wallet_account", "{ann}", {"status": "SUSPENDED", "open": False}, {"open": True}), True,
    ),
    "a wallet's status that is not told": (
        "UPDATE wallets SET status = 'SUSPENDED' WHERE id = '{ann}'",
        ("wallet_told", "{ann}", {"created": 1, "last": "suspended"}, {"created": 1, "last": "activated"}), True,
    ),
    "a figure": (
        "UPDATE payment_figures SET payments = payments + 1 WHERE span = 'minute' AND kind = 'refund'",
        ("payment_figures", "minute", {"payments": 1, "amount": "50"}, {"payments": 2, "amount": "50"}), True,
    ),
    "an hour's figure": (
        "UPDATE payment_figures SET amount = amount + 1 WHERE span = 'hour' AND kind = 'refund'",
        ("payment_figures", "hour", {"payments": 1, "amount": "50"}, {"payments": 1, "amount": "51"}), True,
    ),
    "a day's settlement": (
        "UPDATE settlement_totals SET debits = debits + 1 WHERE account_id = '{ann}'",
        ("settlement_totals", "{day} {ann}", {"entries": 2}, {"entries": 2}), True,
    ),
    "a day's settlement deleted": (
        "DELETE FROM settlement_totals WHERE account_id = '{ann}'",
        ("settlement_totals", "{day} {ann}", {"entries": 2}, {"entries": 0}), True,
    ),
    "an open hold": (
        "UPDATE open_holds SET held = held + 1 WHERE payment_id = '{held}'",
        ("open_holds", "{held}", {"held": "200"}, {"held": "201"}), True,
    ),
    "a hold of nothing": (
        "INSERT INTO open_holds SELECT '{made}'::uuid, asset, sender_wallet_id, held, created_at, expires_at"
        " FROM open_holds",
        ("open_holds", "{made}", {"held": None}, {"held": "200"}), False,
    ),
}  # fmt: skip


def tell_all():
    while sequence():
        pass
    for name in CONSUMED:
        while consuming.consume(CONSUMERS[name]):
            pass


@pytest.fixture(scope="module")
def told(database):
    """A database where a story was told, to be copied; with the names of what is in it."""
    name = f"reconcile_story_{os.getpid()}"
    make_database(name)
    use_database(name)
    try:
        with override_settings(PAYMENT_POLICY="tests.payments.policies.by_metadata"):
            names = tell_story()
        yield name, names
    finally:
        use_database(database)
        drop_database(name)


@pytest.fixture
def own_database(database, told):
    """A copy of the story's database, to spoil."""
    name = f"reconcile_{os.getpid()}"
    close_money_pool()
    use_database(name)
    with psycopg.connect(admin_url(), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{told[0]}" OWNER owner')
        admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO app')
    try:
        yield name
    finally:
        close_money_pool()
        use_database(database)
        drop_database(name)


@pytest.fixture
def story(own_database, told):
    """The names of what is in the story."""
    return told[1] | {"made": str(uuid4())}


def tell_story():
    """What can happen to payments and wallets, told and taken in; something of it before the first run."""
    shop = actor("client")
    create_asset(code="EUR", name="Euro", kind="fiat", scale=2)
    old = shop.wallet(holding="5.00")
    shop.wallet(holding="5.00")
    tell_all()
    assert run().state == "CLEAN"

    ann, bob, eve = shop.wallet(holding="10.00"), shop.wallet(), shop.wallet(holding="20.00")
    paid = shop.pay(ann, bob, "4.00").json()["id"]
    refunded = shop.pay(eve, bob, "1.00").json()["id"]
    act(shop, refunded, "refund", {"amount": "0.50"})
    act(shop, shop.pay(eve, bob, "1.00").json()["id"], "reverse", {"reason": "twice"})
    shop.pay(ann, bob, "1000.00")
    failed = str(value("SELECT payment_id FROM transaction_failures"))
    captured, released, voided, raised, held = (authorize(shop, eve, bob, "2.00") for _ in range(5))
    act(shop, captured, "capture", {"amount": "1.00", "final": False})
    act(shop, captured, "void")
    act(shop, captured, "capture")
    act(shop, released, "capture", {"amount": "0.50"})
    act(shop, voided, "void")
    act(shop, raised, "reauthorize", {"amount": "3.00"})
    act(shop, raised, "extend", {"expires_in": 604800})
    act(shop, raised, "capture")
    act(shop, held, "reauthorize", {"amount": "30.00"})
    review = {"metadata": {"policy": "review"}}
    approved, denied, _ = (shop.pay(eve, bob, "1.00", **review).json()["id"] for _ in range(3))
    held_later, never_held, dropped = (authorize_later(shop, eve, bob, review) for _ in range(3))
    for payment, approve in ((approved, True), (denied, False), (held_later, True), (never_held, False)):
        answer = act(shop, payment, "review", {"approve": approve})
        assert answer.status_code == 200, answer.content
    act(shop, held_later, "capture", {"amount": "0.20"})
    act(shop, dropped, "void")
    short = authorize(shop, eve, bob, "1.00", expires_in=1)
    wait_until_due(short)
    assert sum(expire_holds()) == 1
    closed, suspended = shop.wallet(), shop.wallet(holding="1.00")
    shop.set_status(closed, "SUSPENDED")
    shop.set_status(closed, "CLOSED")
    shop.set_status(suspended, "SUSPENDED")
    shop.post("/spends", {"wallet_id": bob, "amount": "0.10"})
    shop.post("/bonuses", {"wallet_id": bob, "amount": "0.10"})
    tell_all()
    assert value("SELECT count(*) FROM parked_events") == 0
    return {
        "old": old, "ann": ann, "bob": bob, "paid": paid, "refunded": refunded, "failed": failed,
        "captured": captured, "held": held,
        "position": str(value("SELECT position FROM events WHERE subject = %s", paid)),
        "entry": str(value("SELECT id FROM ledger_entries WHERE transaction_id = %s AND leg = 1", paid)),
        "day": str(value("SELECT day FROM settlement_totals WHERE account_id = %s", ann)),
    }  # fmt: skip


def authorize_later(shop, sender, receiver, review):
    answer = shop.pay(sender, receiver, "1.00", capture=False, **review)
    assert answer.status_code == 202, answer.content
    return answer.json()["id"]


def run(kind="incremental"):
    return execute(ask(kind).id)


def plant(database, sql):
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=database)) as admin:
        # What only a superuser can do: past every trigger, constraint trigger and foreign key.
        admin.execute("SET session_replication_role = replica")
        admin.execute(sql)


def filled(template, names):
    if isinstance(template, str):
        return template.format(**names)
    if isinstance(template, list):
        return [filled(one, names) for one in template]
    if isinstance(template, dict):
        return {name: filled(one, names) for name, one in template.items()}
    return template


def has(side, wanted):
    """Whether a finding's side says what is wanted; it may say more."""
    return all(name in side and (side[name] == told or str(side[name]) == told) for name, told in wanted.items())


def test_a_right_ledger_is_clean_to_both_kinds_of_run(story):
    statuses = {status for (status,) in rows("SELECT DISTINCT status FROM payments")}
    assert statuses == {"CREATED", "AUTHORIZED", "SETTLED", "FAILED", "VOIDED", "EXPIRED"}

    new, full = run(), run("full")

    assert [(one.state, one.found) for one in (new, full)] == [("CLEAN", {}), ("CLEAN", {})]
    assert Finding.objects.count() == 0
    assert full.checked["entries"] == value("SELECT count(*) FROM ledger_entries")
    assert full.checked["payments"] == value("SELECT count(*) FROM payments")
    assert full.checked["accounts"] == value("SELECT count(*) FROM accounts")
    assert full.checked["events"] == full.to_position == value("SELECT count(*) FROM events")
    assert 0 < new.from_position < new.to_position == full.to_position


def test_what_is_not_told_or_not_taken_in_yet_is_no_difference(story, shop):
    shop.pay(story["ann"], story["bob"], "1.00")
    act(shop, story["held"], "void")
    assert run("full").found == {}

    while sequence():
        pass
    shop.pay(story["ann"], story["bob"], "1.00")

    assert (run().found, run("full").found) == ({}, {})
    tell_all()
    assert (run().found, run("full").found) == ({}, {})


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found_with_both_sides(own_database, story, name):
    sql, (kind, about, expected, actual), by_new = PLANTS[name]
    plant(own_database, sql.format(**story))

    def found(run):
        assert run.state == "FINDINGS", run.error
        return [
            one for one in Finding.objects.filter(kind=kind, last_run=run)
            if one.subject_id.startswith(filled(about, story))
            and has(one.evidence["expected"], filled(expected, story))
            and has(one.evidence["actual"], filled(actual, story))
        ]  # fmt: skip

    if by_new:
        assert found(run())
    assert found(run("full")), list(Finding.objects.values_list("kind", "subject_id", "evidence"))


def test_a_finding_that_is_seen_again_stays_one_row(own_database, story):
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    first, second = run("full"), run("full")

    found = Finding.objects.get(kind="account_balance")
    assert (found.run_id, found.last_run_id) == (first.id, second.id)
    assert found.first_seen == first.finished_at
    assert found.last_seen == second.finished_at
    assert first.found == second.found == {"account_balance": 1, "asset_balances": 1}


def test_what_was_explained_opens_again_only_where_it_has_changed(own_database, story):
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")
    found = Finding.objects.filter(kind="account_balance")
    found.update(state="EXPLAINED", note="a known one")

    run("full")
    assert found.get().state == "EXPLAINED"
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")
    assert (found.get().state, found.get().note) == ("OPEN", "a known one")


def test_what_was_resolved_and_is_seen_again_is_another_finding(own_database, story):
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")
    Finding.objects.update(state="RESOLVED")
    run("full")

    assert sorted(Finding.objects.filter(kind="account_balance").values_list("state", flat=True)) == [
        "OPEN",
        "RESOLVED",
    ]


def test_of_each_kind_a_thousand_findings_are_kept_and_that_is_said(own_database, story):
    plant(
        own_database,
        "INSERT INTO transactions SELECT gen_random_uuid(), 'transfer', 2, now(), now() FROM generate_series(1, 1200)",
    )
    done = run("full")

    assert done.truncated
    assert done.found["transaction_entries"] == done.found["payment_posting"] == 1000
    assert Finding.objects.filter(kind="transaction_entries").count() == 1000


def test_a_log_that_was_cut_off_is_found(own_database, story):
    head = run().to_position
    plant(own_database, f"DELETE FROM events WHERE position = {head}")

    done = run()

    assert done.to_position == head - 1
    assert Finding.objects.get(kind="log_gap").subject_id == str(head)


def test_two_runs_for_one_slot_are_one(story):
    first, second = ask_for_slot("incremental"), ask_for_slot("incremental")

    assert first is not None
    # Unless the hour was over in between.
    assert second is None or second.slot > first.slot
    with pytest.raises(IntegrityError):
        ReconciliationRun.objects.create(
            id=uuid4(), kind=first.kind, slot=first.slot, started_at=first.started_at
        )  # fmt: skip


def test_beats_in_one_hour_make_one_run_and_also_do_what_was_left_undone(story):
    left = ask("incremental")
    assert left is not None
    for _ in range(2):
        reconcile_hourly()
        reconcile_nightly()

    runs = list(ReconciliationRun.objects.exclude(slot=None).values_list("kind", "state"))
    assert set(runs) == {("incremental", "CLEAN"), ("full", "CLEAN")}
    assert len({slot for (slot,) in rows("SELECT slot FROM reconciliation_runs WHERE slot IS NOT NULL")}) >= 2
    assert ReconciliationRun.objects.get(id=left.id).state == "CLEAN"


def test_nobody_joins_in_a_run_that_somebody_is_at(own_database, story):
    asked = ask("full")
    with psycopg.connect(psycopg.conninfo.make_conninfo(admin_url(), dbname=own_database)) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [str(asked.id)])
        assert execute(asked.id).state == "RUNNING"
    assert execute(asked.id).state == "CLEAN"


def test_a_run_on_which_workers_die_is_given_up(story):
    asked = ask("full")
    ReconciliationRun.objects.filter(id=asked.id).update(tries=3)

    given_up = execute(asked.id)

    assert (given_up.state, given_up.error) == ("FAILED", "Given up after 3 tries.")


def test_a_run_that_fails_says_why_and_the_next_one_goes_over_the_same(own_database, story):
    before = ReconciliationRun.objects.latest("id").to_position
    plant(own_database, "ALTER TABLE open_holds RENAME TO elsewhere")
    failed = run()
    plant(own_database, "ALTER TABLE elsewhere RENAME TO open_holds")
    done = run()

    assert failed.state == "FAILED"
    assert "open_holds" in failed.error
    assert (done.state, done.from_position) == ("CLEAN", before)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reconciliation_runs SET state = 'RUNNING', finished_at = NULL",
        "UPDATE reconciliation_runs SET found = '{}', checked = '{}'",
        "DELETE FROM reconciliation_runs",
        "TRUNCATE reconciliation_runs CASCADE",
        "DELETE FROM reconciliation_findings",
        "TRUNCATE reconciliation_findings",
        "UPDATE reconciliation_findings SET subject_id = 'another'",
        "UPDATE reconciliation_findings SET last_seen = first_seen - interval '1 day'",
    ],
)
def test_what_was_found_is_never_rewritten_not_by_an_owner_either(own_database, story, statement):
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")

    with connect("owner") as owner, pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        owner.execute(statement)


def test_a_span_is_looked_up_by_index(own_database, story):
    """The plans of every statement of a run over what is new: no big table is read whole."""
    big = ("ledger_entries", "payments", "events", "transactions", "accounts", "wallets", "transaction_failures")
    plans = []

    def explained(execute, sql, params, many, context):
        answer = execute(sql, params, many, context)
        if sql.lstrip().startswith(("SELECT", "WITH")):
            with connection.connection.cursor() as cursor:
                plans.extend(line for (line,) in cursor.execute("EXPLAIN " + sql, params))
        return answer

    with connection.execute_wrapper(explained):
        result = compare(
            lambda head: Span(1, head), run=uuid4(), known_head=0, on_progress=lambda what, done, about: None
        )

    assert result.checked["payments"] > 0
    assert plans
    assert not [line for line in plans for table in big if f"Seq Scan on {table}" in line]


def test_the_command_says_what_differs_and_ends_with_1(own_database, story, capsys):
    call_command("reconcile")
    assert "Nothing differs." in capsys.readouterr().out
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))

    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", "--full", "--json")
    report = json.loads(capsys.readouterr().out)

    assert ended.value.code == 1
    assert report["kind"] == "full"
    assert {one["kind"] for one in report["findings"]} == {"account_balance", "asset_balances"}
    assert {one["promise"] for one in report["findings"]} == {"M1", "M3"}


def test_the_report_is_of_the_latest_run_that_came_to_an_end_or_of_the_one_asked_for(own_database, story, shop):
    asked = shop.post("/reconciliation/runs", {"kind": "full"})
    assert (asked.status_code, asked.json()["state"]) == (202, "RUNNING")
    before = shop.get("/reconciliation/report").json()
    assert before["id"] != asked.json()["id"]
    assert shop.get(f"/reconciliation/report?run={asked.json()['id']}").json()["state"] == "RUNNING"

    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    reconcile_waiting()

    report = shop.get("/reconciliation/report").json()
    assert (report["id"], report["state"]) == (asked.json()["id"], "FINDINGS")
    [found] = [one for one in report["findings"] if one["kind"] == "account_balance"]
    assert (found["subject_type"], found["subject_id"]) == ("account", story["ann"])
    assert (found["expected"]["balance"], found["actual"]["balance"]) == ("600", "601")
    assert shop.get(f"/reconciliation/report?run={uuid4()}").status_code == 404
    assert shop.get("/reconciliation/report?run=1").status_code == 400


def test_a_run_is_asked_for_once_for_its_key(story, shop):
    first = shop.post("/reconciliation/runs", {"kind": "incremental"}, key="one")
    again = shop.post("/reconciliation/runs", {"kind": "incremental"}, key="one")
    other = shop.post("/reconciliation/runs", {"kind": "full"}, key="one")
    without = shop.post("/reconciliation/runs", {"kind": "incremental"}, key=None)

    assert (again.content, again["Idempotency-Replayed"]) == (first.content, "true")
    assert other.json()["code"] == "idempotency_key_reused"
    assert without.json()["id"] != first.json()["id"]
    assert ReconciliationRun.objects.filter(state="RUNNING").count() == 2


@pytest.mark.parametrize("body", [{}, {"kind": "hourly"}, {"kind": "full", "slot": "2026-01-01T00:00:00Z"}])
def test_what_is_no_kind_of_run_is_refused(story, shop, body):
    assert shop.post("/reconciliation/runs", body).status_code == 400


def test_who_does_not_see_every_asset_sees_no_reconciliation(story):
    bound = actor("client", assets=frozenset({"EUR"}))

    assert bound.get("/reconciliation/report").status_code == 403
    assert bound.post("/reconciliation/runs", {"kind": "full"}).status_code == 403


def test_the_console_shows_runs_and_findings_with_both_sides(own_database, story):
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    done = run("full")
    found = Finding.objects.get(kind="account_balance")
    http = Client(raise_request_exception=False)
    http.force_login(User.objects.create_superuser(f"root-{uuid4().hex}", password="long enough 1"))

    def shown(path, **query):
        page = http.get(path, query)
        assert page.status_code == 200
        return page

    runs = shown(reverse("admin:ops_reconciliationrun_changelist")).content.decode()
    assert "account_balance 1" in runs
    page = shown(reverse("admin:ops_reconciliationrun_change", args=[done.id])).content.decode()
    assert f"run_id={done.id}" in page
    findings = reverse("admin:ops_finding_changelist")
    for query in ({"run_id": done.id}, {"last_run_id": done.id}, {"q": story["ann"]}, {"state__exact": "OPEN"}):
        assert found in shown(findings, **query).context["cl"].result_list
    assert not shown(findings, q=story["bob"]).context["cl"].result_list
    page = shown(reverse("admin:ops_finding_change", args=[found.id])).content.decode()
    assert "<td>600</td><td>601</td>" in page
    assert reverse("admin:ledger_account_change", args=[story["ann"]]) in page
    for model, row in (("reconciliationrun", done.id), ("finding", found.id)):
        assert http.post(reverse(f"admin:ops_{model}_change", args=[row]), {"state": "CLEAN"}).status_code == 403
        assert http.post(reverse(f"admin:ops_{model}_delete", args=[row]), {"post": "yes"}).status_code == 403
