"""Runs and findings on record: once for a slot, never rewritten, and shown by command, API and console."""

from __future__ import annotations

import json
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.urls import reverse

from ops.reconciliation.comparing import compare
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.reconciliation.runs import ask, ask_for_slot, execute
from ops.reconciliation.scopes import Span
from ops.tasks import reconcile_hourly, reconcile_nightly, reconcile_waiting
from tests.actors import actor
from tests.conftest import admin_url
from tests.ledger.test_database_rules import connect
from tests.ops.staff import console, root
from tests.ops.story import plant, run
from walletplatform.audit.models import AuditEntry


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
    [told] = AuditEntry.objects.filter(object_id=str(found.get().pk))
    assert (told.action, told.actor_name, told.after) == ("finding.reopen", "reconciliation", {"state": "OPEN"})


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
    # One of each; two where the hour, or the day, has ended in between.
    assert [1 <= runs.count((kind, "CLEAN")) <= 2 for kind in ("incremental", "full")] == [True, True]
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
    told = AuditEntry.objects.filter(action="reconciliation.run").order_by("id")
    assert [(one.object_id, one.actor_id) for one in told] == [
        (answer.json()["id"], shop.id) for answer in (first, without)
    ]


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
    http = console(root())

    def shown(path, **query):
        page = http.get(path, query)
        assert page.status_code == 200
        return page

    runs = shown(reverse("admin:ops_reconciliationrun_changelist")).content.decode()
    assert "Balances of an asset do not add up to 0 and 1 more" in runs
    page = shown(reverse("admin:ops_reconciliationrun_change", args=[done.id])).content.decode()
    assert f"run_id={done.id}" in page
    findings = reverse("admin:ops_finding_changelist")
    for query in ({"run_id": done.id}, {"last_run_id": done.id}, {"q": story["ann"]}, {"state": "OPEN"}):
        assert found in shown(findings, **query).context["cl"].result_list
    assert not shown(findings, q=story["bob"]).context["cl"].result_list
    page = shown(reverse("admin:ops_finding_change", args=[found.id])).content.decode()
    for words in ("6.00\N{NO-BREAK SPACE}EUR", "6.01\N{NO-BREAK SPACE}EUR", "The account shows an amount"):
        assert words in page
    assert reverse("admin:ledger_account_change", args=[story["ann"]]) in page
    for model, row in (("reconciliationrun", done.id), ("finding", found.id)):
        assert http.post(reverse(f"admin:ops_{model}_change", args=[row]), {"state": "CLEAN"}).status_code == 403
        assert http.post(reverse(f"admin:ops_{model}_delete", args=[row]), {"post": "yes"}).status_code == 403
