"""Alerts and their rules in the console: shown to all, handled and made by those who may, by POST only."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ledger import clock
from ops.alerts.evaluating import evaluate
from ops.alerts.handling import resolve
from ops.alerts.models import Alert, AlertConfiguration, Notification
from ops.alerts.read_models import AlertSample
from tests.money import rows
from tests.ops.alert_rules import alerts_of, figures, rule
from tests.ops.staff import ROLES, console, person
from walletplatform.audit.actors import of_staff
from walletplatform.audit.models import AuditEntry

REASON = "looking into it now"
HANDLERS = {"operator", "approver", "finance", "risk", "administrator"}
CONFIGURERS = {"finance", "risk", "administrator"}
LIST, RULES = "admin:ops_alert_changelist", "admin:ops_alertconfiguration_changelist"


@pytest.fixture(autouse=True)
def only_mine():
    AlertConfiguration.objects.update(enabled=False)


@pytest.fixture
def mine(rare_asset):
    return rule(asset=rare_asset, name=f"mine {uuid4().hex}")


@pytest.fixture
def alert(mine, rare_asset):
    figures(rare_asset, settled=60, failed=40)
    evaluate()
    return alerts_of(mine)[0]


def page_of(one):
    return reverse(f"admin:ops_{one._meta.model_name}_change", args=[one.pk])


def act_on(one, act):
    return reverse(f"admin:ops_{one._meta.model_name}_{act}", args=[one.pk])


def everything():
    tables = ("alerts", "alert_configurations", "alert_steps", "alert_notifications", "audit_entries")
    return [rows(f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM {table} t") for table in tables]


def form_of(http, url):
    """What a form would send as it is shown."""
    form = http.get(url).context["form"]
    given = {name: form[name].value() for name in form.fields}
    return {name: value for name, value in given.items() if value is not None and value is not False} | {
        "reason": REASON
    }


def test_an_alerts_page_says_what_is_wrong_and_what_to_do(alert):
    shown = console(person("viewer")).get(page_of(alert)).text
    for words in ("40 % of payments fail", "40 of 100 payments failed", "alerts from 20 %", "Open Failures", "Began"):
        assert words in shown
    assert 'data-ops-chart="' in shown
    assert "Nobody was told yet" in shown
    assert act_on(alert, "acknowledge") not in shown


def test_from_firing_to_resolved_in_the_console(alert):
    ann, bob = person("operator"), person("risk")
    http = console(ann)
    assert alert.title in http.get(reverse(LIST)).text
    http.post(act_on(alert, "acknowledge"), form_of(http, act_on(alert, "acknowledge")))
    alert.refresh_from_db()
    assert (alert.state, alert.acknowledged_by, alert.owner_name) == ("ACKNOWLEDGED", ann.username, ann.username)
    http.post(act_on(alert, "assign"), form_of(http, act_on(alert, "assign")) | {"person": bob.username})
    alert.refresh_from_db()
    assert (alert.owner_id, alert.owner_name) == (bob.pk, bob.username)
    http.post(act_on(alert, "mute"), form_of(http, act_on(alert, "mute")) | {"hours": "4"})
    alert.refresh_from_db()
    assert timedelta(hours=3, minutes=59) < alert.muted_until - clock.now() <= timedelta(hours=4)
    http.post(act_on(alert, "resolve"), form_of(http, act_on(alert, "resolve")) | {"classification": "external_client"})
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_by, alert.note) == ("RESOLVED", ann.username, REASON)
    told = AuditEntry.objects.filter(object_id=str(alert.pk)).order_by("id")
    assert [entry.action for entry in told] == ["alert.acknowledge", "alert.assign", "alert.mute", "alert.resolve"]
    assert {(entry.actor_id, entry.reason) for entry in told} == {(ann.pk, REASON)}
    shown = http.get(page_of(alert)).text
    for words in ("Acknowledged", "Muted", "A client system. looking into it now", bob.username):
        assert words in shown
    assert act_on(alert, "resolve") not in shown


@pytest.mark.parametrize("role", ROLES)
def test_each_role_sees_alerts_and_handles_them_as_the_table_says(alert, mine, role):
    http, before = console(person(role)), everything()
    given = {"reason": REASON, "seen": "OPEN", "hours": "1", "classification": "false_alarm", "comment": REASON}
    for url in (reverse(LIST), page_of(alert), reverse(RULES), page_of(mine)):
        assert http.get(url).status_code == 200
    for act in ("acknowledge", "assign", "mute", "comment", "resolve"):
        assert http.get(act_on(alert, act)).status_code == (200 if role in HANDLERS else 403)
    for act in ("change_rule", "test", "mute", "unmute"):
        assert http.get(act_on(mine, act)).status_code == (200 if role in CONFIGURERS else 403)
    new = reverse("admin:ops_alertconfiguration_new_rule")
    assert http.get(new).status_code == (200 if role in CONFIGURERS else 403)
    assert everything() == before
    if role not in HANDLERS:
        for act in ("acknowledge", "assign", "mute", "comment", "resolve"):
            assert http.post(act_on(alert, act), given).status_code == 403
        http.post(reverse(LIST), {"action": "acknowledge_selected", "_selected_action": [alert.pk], "apply": 1} | given)
    if role not in CONFIGURERS:
        for act in ("change_rule", "test", "mute", "unmute"):
            assert http.post(act_on(mine, act), given).status_code == 403
        assert http.post(new, given).status_code == 403
    if role not in HANDLERS:
        assert everything() == before
    else:
        assert http.post(act_on(alert, "acknowledge"), given).status_code == 302


def test_who_looks_at_an_old_page_is_told_so(alert):
    ann, bob = console(person("operator")), console(person("operator"))
    old = form_of(bob, act_on(alert, "acknowledge"))
    old_mute = form_of(bob, act_on(alert, "mute")) | {"hours": "1"}
    ann.post(act_on(alert, "acknowledge"), form_of(ann, act_on(alert, "acknowledge")))
    before = everything()
    answer = bob.post(act_on(alert, "acknowledge"), old)
    assert (answer.status_code, "It has changed since you looked at it" in answer.text) == (200, True)
    assert "It has changed since you looked at it" in bob.post(act_on(alert, "mute"), old_mute).text
    assert everything() == before


def test_an_alert_that_was_sent_meanwhile_has_not_changed_for_whoever_looks(alert):
    http = console(person("operator"))
    given = form_of(http, act_on(alert, "acknowledge"))
    Alert.objects.filter(pk=alert.pk).update(state="SENT", told_at=clock.now())
    assert http.post(act_on(alert, "acknowledge"), given).status_code == 302


def test_only_who_handles_alerts_is_given_one(alert):
    http, viewer = console(person("operator")), person("viewer")
    given = form_of(http, act_on(alert, "assign")) | {"person": viewer.username}
    assert http.post(act_on(alert, "assign"), given).status_code == 200
    assert Alert.objects.get(pk=alert.pk).owner_name == ""


@pytest.mark.parametrize("given", [{"classification": ""}, {"classification": "other"}, {"reason": "short"}])
def test_what_is_resolved_has_a_reason_and_says_what_it_was(alert, given):
    http = console(person("operator"))
    usual = form_of(http, act_on(alert, "resolve")) | {"classification": "false_alarm"}
    assert http.post(act_on(alert, "resolve"), usual | given).status_code == 200
    assert Alert.objects.get(pk=alert.pk).state == "PENDING"


def test_a_comment_stands_in_the_history_and_changes_nothing_else(alert):
    ann, bob = person("operator"), person("risk")
    of_alert = "SELECT * FROM alerts WHERE id = %s"
    text = "The provider <b>answers</b> late since 9:40.\nAsked them."
    for by in (ann, bob):
        before = rows(of_alert, alert.pk)
        assert console(by).post(act_on(alert, "comment"), {"comment": text}).status_code == 302
        assert rows(of_alert, alert.pk) == before
        if by == ann:
            resolve(by=of_staff(ann), alert_id=alert.pk, classification="external_provider", note=REASON)
    kept = [(step.by, step.note.replace("\r", "")) for step in alert.steps.filter(step="commented").order_by("id")]
    assert kept == [(ann.username, text), (bob.username, text)]
    told = AuditEntry.objects.filter(object_id=str(alert.pk), action="alert.comment")
    assert {entry.actor_id for entry in told} == {ann.pk, bob.pk}
    shown = console(person("viewer")).get(page_of(alert)).text
    assert ("&lt;b&gt;answers&lt;/b&gt;" in shown, "<b>answers" in shown) == (True, False)


@pytest.mark.parametrize("text", ["", "   ", "x" * 1001, "a\x00b"])
def test_a_comment_says_something_and_fits(alert, text):
    before = everything()
    assert console(person("operator")).post(act_on(alert, "comment"), {"comment": text}).status_code == 200
    assert everything() == before


def test_exactly_the_selected_are_acknowledged_each_with_its_audit_entry(rare_asset):
    figures(rare_asset, failed=100)
    alerts = [rule(asset=rare_asset) for _ in range(5)]
    evaluate()
    first, second, third, *others = [alerts_of(one)[0] for one in alerts]
    http = console(person("operator"))
    http.post(act_on(third, "acknowledge"), form_of(http, act_on(third, "acknowledge")))
    chosen = {"action": "acknowledge_selected", "_selected_action": [str(one.pk) for one in (first, second, third)]}
    asked = http.post(reverse(LIST), chosen)
    assert (asked.status_code, asked.text.count('name="_selected_action"')) == (200, 3)
    assert Alert.objects.get(pk=first.pk).state == "PENDING"
    answer = http.post(reverse(LIST), chosen | {"apply": "1", "reason": REASON, "select_across": "1"}, follow=True)
    said = [str(message) for message in answer.context["messages"]]
    assert "Acknowledged: 2 alerts." in said
    assert any("has acknowledged it already" in words for words in said)
    assert {Alert.objects.get(pk=one.pk).state for one in (first, second)} == {"ACKNOWLEDGED"}
    assert {Alert.objects.get(pk=one.pk).state for one in others} == {"PENDING"}
    acts = AuditEntry.objects.filter(action="alert.acknowledge", object_id__in=[str(a.pk) for a in (first, second)])
    assert [entry.reason for entry in acts] == [REASON, REASON]


def test_the_list_begins_with_what_is_open_and_critical(rare_asset):
    figures(rare_asset, failed=100)
    names = {}
    for severity in ("info", "critical", "warning"):
        names[severity] = rule(asset=rare_asset, severity=severity)
    evaluate()
    over = alerts_of(names["critical"])[0]
    http = console(person("operator"))
    listing = http.get(f"{reverse(LIST)}?state=all").context["cl"]
    assert listing.result_list[0].severity == "critical"
    # There may be many others in between.
    mine = Alert.objects.filter(asset=rare_asset).order_by(*listing.model_admin.get_ordering(None))
    assert [alert.severity for alert in mine] == ["critical", "warning", "info"]
    resolve = form_of(http, act_on(over, "resolve")) | {"classification": "false_alarm"}
    http.post(act_on(over, "resolve"), resolve)
    listed = [alert.pk for alert in http.get(reverse(LIST)).context["cl"].result_list]
    assert over.pk not in listed
    assert over.pk in [a.pk for a in http.get(f"{reverse(LIST)}?state=RESOLVED").context["cl"].result_list]


def test_lists_and_pages_ask_the_same_few_questions_however_much_there_is(rare_asset):
    figures(rare_asset, failed=100)
    rules = [rule(asset=rare_asset) for _ in range(60)]
    evaluate()
    http, alert = console(person("viewer")), alerts_of(rules[0])[0]
    for url in (reverse(LIST), reverse(RULES), page_of(alert), page_of(rules[0])):
        with CaptureQueriesContext(connection) as asked:
            assert http.get(url).status_code == 200
        assert len(asked) <= 12, (url, [one["sql"] for one in asked])
        assert not any("COUNT(" in one["sql"] for one in asked), url


def test_a_rule_is_made_with_a_preview_and_its_doubts_are_confirmed(rare_asset):
    http, name = console(person("risk")), f"made {uuid4().hex}"
    url = reverse("admin:ops_alertconfiguration_new_rule")
    assert "What shall the rule watch?" in http.get(url).text
    url += "?type=failure_rate"
    figures(rare_asset, settled=10, failed=90, back=120)
    given = form_of(http, url) | {"name": name, "threshold": "50", "asset": rare_asset, "recipients": "a@example.com"}
    shown = http.post(url, given | {"preview": "1"})
    assert "Would have fired once in the last 7 days." in shown.text, shown.context["form"].errors
    doubted = http.post(url, given | {"recipients": ""})
    assert (doubted.status_code, "It tells nobody" in doubted.text) == (200, True)
    assert not AlertConfiguration.objects.filter(name=name).exists()
    confirmed = doubted.context["form"]["confirmed"].value()
    answer = http.post(url, given | {"recipients": "", "confirmed": confirmed})
    made = AlertConfiguration.objects.get(name=name)
    assert (answer.url, made.threshold, made.recipients) == (page_of(made), Decimal(50), [])
    assert AuditEntry.objects.get(object_id=str(made.pk)).reason == REASON


def test_a_rule_is_changed_by_whoever_saw_its_latest_version(mine, rare_asset):
    http = console(person("finance"))
    given = form_of(http, act_on(mine, "change_rule"))
    assert given["threshold"] == Decimal(20)
    changes = given | {"threshold": "30", "recipients": "a@example.com, b@example.com", "weekdays": ["1", "2"]}
    answer = http.post(act_on(mine, "change_rule"), changes)
    assert answer.status_code == 302, answer.context["form"].errors
    mine.refresh_from_db()
    assert (mine.threshold, mine.recipients, mine.weekdays) == (30, ["a@example.com", "b@example.com"], [1, 2])
    stale = http.post(act_on(mine, "change_rule"), changes | {"threshold": "40"})
    assert (stale.status_code, "Somebody has changed the rule" in stale.text) == (200, True)
    entry = AuditEntry.objects.get(object_id=str(mine.pk))
    assert (entry.before["threshold"], entry.after["threshold"]) == ("20", "30")


@pytest.mark.parametrize(
    "given",
    [{"recipients": "nobody"}, {"slack_url": "https://localhost/x"}, {"from_hour": "9", "to_hour": "9"}, {"name": ""}],
)
def test_a_rule_that_cannot_be_is_shown_again_with_what_is_wrong(mine, settings, given):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = False
    http, before = console(person("finance")), everything()
    answer = http.post(act_on(mine, "change_rule"), form_of(http, act_on(mine, "change_rule")) | given)
    assert (answer.status_code, bool(answer.context["form"].errors)) == (200, True)
    assert everything() == before


def test_a_rule_is_tried_and_muted(mine):
    http = console(person("finance"))
    assert act_on(mine, "test") not in http.get(page_of(mine)).text
    AlertConfiguration.objects.filter(pk=mine.pk).update(recipients=["a@example.com"])
    assert act_on(mine, "test") in http.get(page_of(mine)).text
    http.post(act_on(mine, "test"), {"reason": REASON})
    assert Notification.objects.get(configuration=mine, is_test=True).address == "a@example.com"
    http.post(act_on(mine, "mute"), {"reason": REASON, "hours": "24"})
    mine.refresh_from_db()
    assert mine.muted_until > clock.now() + timedelta(hours=23)
    http.post(act_on(mine, "unmute"), {"reason": REASON})
    mine.refresh_from_db()
    assert mine.muted_until is None


def test_without_figures_a_preview_goes_by_what_was_measured():
    AlertSample.objects.filter(configuration__type="outbox_lag").delete()
    other, mine = rule("outbox_lag"), rule("outbox_lag", threshold=60)
    for number, value in enumerate((10, 70, 80, 10, 10, 90)):
        at = clock.now() - timedelta(minutes=60 - 5 * number)
        AlertSample.objects.create(configuration=other, subject="outbox", at=at, value=value, volume=0)
    assert "Would have fired twice in the last 7 days." in console(person("viewer")).get(page_of(mine)).text
