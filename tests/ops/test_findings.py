"""A finding is looked after, explained or resolved, by two people where it is serious; some stop a wallet."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.urls import reverse

from ops.approvals.deciding import approve
from ops.approvals.executing import execute_approved
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from ops.approvals.refusing import Refused
from ops.reconciliation.comparing import CHECKS
from ops.reconciliation.handling import assign, explain, resolve
from ops.reconciliation.kinds import FREEZING, KINDS
from ops.reconciliation.models import Finding
from tests.money import rows
from tests.ops.staff import ROLES, console, person
from tests.ops.story import plant, run
from tests.ops.two_people import allow
from walletplatform.audit.models import AuditEntry
from wallets.models import Wallet

NOTE = "known since the migration of May"


@pytest.fixture(autouse=True)
def thawed(settings):
    settings.RECONCILIATION_FREEZES = False


@pytest.fixture
def balance(own_database, story):
    """A serious finding: the balance of Ann's account."""
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")
    return Finding.objects.get(kind="account_balance")


@pytest.fixture
def figure(own_database, story):
    """One that is not serious: a figure of the read models."""
    plant(own_database, "UPDATE payment_figures SET amount = amount + 1 WHERE span = 'hour' AND kind = 'refund'")
    run("full")
    return Finding.objects.get(kind="payment_figures")


def history(finding):
    entries = AuditEntry.objects.filter(object_id=str(finding.pk)).order_by("id")
    return [(one.action, one.actor_name, one.reason) for one in entries]


def now(finding):
    return Finding.objects.get(pk=finding.pk)


def everything():
    return rows("SELECT * FROM reconciliation_findings ORDER BY id"), rows("SELECT count(*) FROM audit_entries")


def test_each_kind_that_there_is_has_its_words():
    assert {check.kind for check in CHECKS} <= KINDS.keys()
    assert {name for name, kind in KINDS.items() if kind.serious} >= FREEZING


def test_a_finding_is_given_to_somebody_and_explained(figure):
    ann, bob = person("operator"), person("risk")

    assign(user=ann, finding_id=figure.pk, owner=bob.username)
    with pytest.raises(Refused, match="looks after it already"):
        assign(user=ann, finding_id=figure.pk, owner=bob.username)
    explain(user=bob, finding_id=figure.pk, note=NOTE)

    found = now(figure)
    assert (found.owner, found.state, found.note) == (bob.username, "EXPLAINED", NOTE)
    assert history(figure) == [("finding.assign", ann.username, ""), ("finding.explain", bob.username, NOTE)]


def test_one_person_resolves_what_is_not_serious_and_two_what_is(balance):
    maker, checker = person("finance"), person("approver")
    with pytest.raises(Refused, match="This needs a second person"):
        resolve(user=maker, finding_id=balance.pk, note=NOTE)

    approval = propose(maker=maker, action="finding.resolve", target_id=balance.pk, reason=NOTE)
    assert now(balance).state == "OPEN"
    approve(checker=checker, approval_id=approval.pk, seen=approval.payload_sha256)

    assert (now(balance).state, now(balance).note) == ("RESOLVED", NOTE)
    assert Approval.objects.get(pk=approval.pk).state == "EXECUTED"
    assert history(balance) == [("finding.resolve", maker.username, NOTE)]


def test_what_is_not_serious_is_resolved_at_once_and_needs_no_second_person(figure):
    maker = person("finance")
    with pytest.raises(Refused, match="It takes one person"):
        propose(maker=maker, action="finding.resolve", target_id=figure.pk, reason=NOTE)
    resolve(user=maker, finding_id=figure.pk, note=NOTE)
    assert now(figure).state == "RESOLVED"
    with pytest.raises(Refused, match="It is resolved"):
        explain(user=maker, finding_id=figure.pk, note=NOTE)


def test_other_evidence_than_was_proposed_is_not_approved(own_database, story, balance):
    approval = propose(maker=person("finance"), action="finding.resolve", target_id=balance.pk, reason=NOTE)
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")

    with pytest.raises(Refused, match="has changed since the request"):
        approve(checker=person("approver"), approval_id=approval.pk, seen=approval.payload_sha256)
    assert now(balance).state == "OPEN"


def test_other_evidence_than_was_approved_is_not_resolved_either(own_database, story, balance):
    approval = propose(maker=person("finance"), action="finding.resolve", target_id=balance.pk, reason=NOTE)
    Approval.objects.filter(pk=approval.pk).update(  # as a process leaves it that was killed then
        state="APPROVED", decided_by=uuid4(), decided_by_name="x", decided_at=approval.created_at
    )
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")
    assert execute_approved(approval.pk).state == "FAILED"
    assert now(balance).state == "OPEN"


@pytest.mark.parametrize("role", ["viewer", "support", "auditor", "administrator"])
def test_who_may_not_look_after_findings_changes_none(figure, role):
    user, before = person(role), everything()
    for act, given in ((assign, {"owner": ""}), (explain, {"note": NOTE}), (resolve, {"note": NOTE})):
        with pytest.raises(Refused, match="Your role does not allow this"):
            act(user=user, finding_id=figure.pk, **given)
    assert everything() == before


def test_nonsense_is_refused_and_changes_nothing(figure):
    user, before = person("operator"), everything()
    for act, given, says in (
        (assign, {"owner": "nobody"}, "is nobody who may"), (assign, {"owner": person("viewer").username}, "is nobody"),
        (assign, {"owner": ""}, "Nobody looks after it as it is"),
        (explain, {"note": "short"}, "Say why"), (explain, {"note": " " * 50}, "Say why"),
        (resolve, {"note": "x" * 201}, "Say why"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=says):
            act(user=user, finding_id=figure.pk, **given)
    with pytest.raises(Refused, match="There is no such finding"):
        explain(user=user, finding_id=uuid4(), note=NOTE)
    assert everything() == before


def test_what_a_later_run_over_everything_does_not_see_is_resolved_by_it(own_database, story, balance):
    run()
    assert now(balance).state == "OPEN"
    plant(own_database, "UPDATE accounts SET balance = balance - 1 WHERE id = '{ann}'".format(**story))

    run()
    assert now(balance).state == "OPEN"
    done = run("full")

    assert now(balance).state == "RESOLVED"
    assert history(balance) == [
        ("finding.resolve", "reconciliation", f"Run {done.pk} over everything does not see it any more.")
    ]


def test_what_was_not_looked_at_is_not_taken_for_gone(own_database, story, figure):
    plant(own_database, "UPDATE event_cursors SET rebuilding_to = position + 1 WHERE name = 'figures'")
    run("full")
    assert now(figure).state == "OPEN"


def test_a_wallet_whose_balance_is_wrong_is_suspended_once(own_database, story, settings):
    settings.RECONCILIATION_FREEZES = True
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run()

    assert Wallet.objects.get(pk=story["ann"]).status == "SUSPENDED"
    found = Finding.objects.get(kind="account_balance")
    assert found.frozen_at is not None
    [told] = AuditEntry.objects.filter(object_id=story["ann"], action="wallet.suspend")
    assert (told.actor_kind, told.actor_name) == ("command", "platform")
    assert str(found.pk) in told.reason

    allow("wallet.activate", story["ann"])
    run("full")
    assert Wallet.objects.get(pk=story["ann"]).status == "ACTIVE"
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{ann}'".format(**story))
    run("full")
    assert Wallet.objects.get(pk=story["ann"]).status == "SUSPENDED"


def test_a_system_account_is_never_stopped_nor_anything_where_the_setting_is_off(own_database, story, settings):
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE id = '{bob}'".format(**story))
    run("full")
    assert Wallet.objects.get(pk=story["bob"]).status == "ACTIVE"

    settings.RECONCILIATION_FREEZES = True
    plant(own_database, "UPDATE accounts SET balance = balance + 1 WHERE kind = 'treasury'")
    run("full")

    [(treasury, is_open)] = rows("SELECT id, open FROM accounts WHERE kind = 'treasury'")
    assert is_open
    assert Finding.objects.get(kind="account_balance", subject_id=str(treasury)).frozen_at is not None
    assert not Wallet.objects.filter(pk=UUID(str(treasury))).exists()


def on(finding, act):
    return reverse(f"admin:ops_finding_{act}", args=[finding.pk])


def test_a_serious_finding_is_not_explained_away_by_one_person(balance):
    before = everything()
    with pytest.raises(Refused, match="propose its resolution"):
        explain(user=person("finance"), finding_id=balance.pk, note=NOTE)
    assert (now(balance).state, everything()) == ("OPEN", before)


def test_in_the_console_a_finding_is_assigned_and_its_resolution_proposed(balance):
    maker = person("finance")
    http = console(maker)
    shown = http.get(on(balance, "change")).text
    assert on(balance, "propose_resolution") in shown
    assert on(balance, "resolve") not in shown
    http.post(on(balance, "assign"), {"owner": maker.username})
    assert http.post(on(balance, "propose_resolution"), {"reason": "short"}).context["form"].errors
    assert on(balance, "explain") not in shown
    assert (now(balance).owner, now(balance).state) == (maker.username, "OPEN")
    http.post(on(balance, "propose_resolution"), {"reason": NOTE})
    approval = Approval.objects.get(target_id=balance.pk)
    shown = console(person("approver")).get(reverse("admin:ops_approval_change", args=[approval.pk])).text
    assert "The finding is closed for good" in shown
    assert "finance-" in http.get(on(balance, "change")).text
    mine = http.get(reverse("admin:ops_finding_changelist"), {"whose": "me"}).context["cl"].result_list
    assert [one.pk for one in mine] == [balance.pk]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_findings_and_only_some_act(role, balance):
    http, before = console(person(role)), everything()
    shown = http.get(on(balance, "change"))
    assert shown.status_code == 200
    may = role in ("operator", "approver", "finance", "risk")
    assert (on(balance, "assign") in shown.text) == may
    runs = http.get(reverse("admin:ops_reconciliationrun_changelist")).text
    address = reverse("admin:ops_reconciliationrun_run_now")
    assert (address in runs) == (may or role == "administrator")
    if not may:
        for act, given in (("assign", {"owner": ""}), ("explain", {"reason": NOTE}), ("resolve", {"reason": NOTE})):
            assert http.post(on(balance, act), given).status_code == 403
        if role != "administrator":
            assert http.post(address, {"kind": "full"}).status_code == 403
        assert everything() == before


def test_a_run_is_asked_for_in_the_console(story):
    http = console(person("operator"))
    page = http.post(reverse("admin:ops_reconciliationrun_run_now"), {"kind": "incremental"}).url
    assert "Running" in http.get(page).text
    assert AuditEntry.objects.filter(action="reconciliation.run").count() == 1
    assert http.post(reverse("admin:ops_reconciliationrun_run_now"), {"kind": "x"}).context["form"].errors
