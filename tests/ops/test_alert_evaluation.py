"""Alerts begin, last and end with their conditions, once each, whoever evaluates how often."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection
from django.db.transaction import atomic

from ledger import clock
from ops.alerts.configuring import change_rule
from ops.alerts.evaluating import evaluate, is_due, measure
from ops.alerts.models import Alert, AlertConfiguration, AlertStep
from ops.alerts.raising import raise_alert
from ops.alerts.read_models import AlertSample
from ops.alerts.reading import AlertType, Reading
from ops.alerts.types import TYPES
from tests.ledger.test_database_rules import connect
from tests.money import rows
from tests.ops.alert_rules import alerts_of, figures, forget_figures, rule
from walletplatform.audit.actors import of_command


@pytest.fixture(autouse=True)
def only_mine():
    """The rules that there are from the beginning, and other tests', stay out of it."""
    AlertConfiguration.objects.update(enabled=False)


def states(which):
    return [(alert.state, alert.occurrences) for alert in alerts_of(which)]


def test_an_alert_opens_counts_while_it_lasts_and_ends_by_itself(rare_asset):
    mine = rule(asset=rare_asset, resolve_after=2)
    evaluate()
    assert states(mine) == []
    figures(rare_asset, settled=60, failed=40)
    evaluate()
    [alert] = alerts_of(mine)
    assert (alert.title, alert.value, alert.threshold) == ("40 % of payments fail", "40 %", "20 %")
    assert "40 of 100 payments failed in the 15 minutes until" in alert.detail
    assert "insufficient funds 40" in alert.detail
    evaluate()
    assert states(mine) == [("PENDING", 2)]
    forget_figures(rare_asset)
    evaluate()
    assert states(mine) == [("PENDING", 2)]
    evaluate()
    assert states(mine) == [("RESOLVED", 2)]
    assert [step.step for step in AlertStep.objects.filter(alert=alert).order_by("id")] == ["began", "ended"]

    figures(rare_asset, failed=100)
    evaluate()
    assert states(mine) == [("RESOLVED", 2), ("PENDING", 1)]


def test_a_command_evaluates_now_and_lists_what_is_open(rare_asset, capsys):
    rule(asset=rare_asset, severity="info")
    figures(rare_asset, settled=1, failed=2)
    call_command("evaluate_alerts")
    assert "info     PENDING      66.7 % of payments fail" in capsys.readouterr().out


def test_a_condition_that_flickers_stays_one_alert(rare_asset):
    mine = rule(asset=rare_asset, resolve_after=2)
    for _ in range(3):
        figures(rare_asset, failed=100)
        evaluate()
        forget_figures(rare_asset)
        evaluate()
    assert states(mine) == [("PENDING", 3)]


@pytest.mark.parametrize(
    ("given", "settled", "failed", "fires"),
    [
        ({}, 80, 20, True),
        ({}, 81, 19, False),
        ({"minimum_volume": 101}, 0, 100, False),
        ({"minimum_volume": 100}, 0, 100, True),
        ({"enabled": False}, 0, 100, False),
    ],
)
def test_a_rule_fires_from_its_threshold_on_where_there_is_enough_to_tell(rare_asset, given, settled, failed, fires):
    mine = rule(asset=rare_asset, **given)
    figures(rare_asset, settled=settled, failed=failed)
    figures(rare_asset, failed=1000, back=16)
    evaluate()
    assert bool(alerts_of(mine)) == fires


def test_two_evaluations_at_once_make_one_alert(rare_asset):
    mine = rule(asset=rare_asset)
    figures(rare_asset, failed=100)
    threads = [threading.Thread(target=in_thread, args=(evaluate,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states(mine) == [("PENDING", 4)]


def in_thread(work):
    try:
        work()
    finally:
        connection.close()


def test_all_rules_are_measured_in_one_snapshot(rare_asset, monkeypatch):
    seen = []

    def read(rule, now):
        seen.append(AlertSample.objects.filter(subject="marker").count())
        if len(seen) == 1:
            thread = threading.Thread(target=in_thread, args=(add,))
            thread.start()
            thread.join()
        return []

    first = rule("snapshot")
    rule("snapshot")

    def add():
        AlertSample.objects.create(configuration=first, subject="marker", at=clock.now(), value=1, volume=0)

    monkeypatch.setitem(TYPES, "snapshot", AlertType("snapshot", "", "", "", "", read))
    measure()
    assert seen == [0, 0]
    assert AlertSample.objects.filter(subject="marker").count() == 1


@pytest.mark.parametrize("change", [{"enabled": False}, {"threshold": Decimal(99)}])
def test_a_rule_that_is_changed_while_it_is_measured_opens_nothing_by_what_it_was(change, monkeypatch):
    def read(mine, now):
        thread = threading.Thread(target=in_thread, args=(lambda: changed(mine, **change),))
        thread.start()
        thread.join()
        return [Reading(Decimal(30), "high")]

    monkeypatch.setitem(TYPES, "changed", AlertType("changed", "", "", "", "", read))
    mine = rule("changed")
    evaluate()
    assert alerts_of(mine) == []


def test_rules_are_switched_while_they_are_evaluated_and_neither_waits_for_ever(rare_asset, monkeypatch):
    value, failed = [30], []
    monkeypatch.setitem(
        TYPES, "switched", AlertType("switched", "", "", "", "", lambda rule, now: [Reading(Decimal(value[0]), "high")])
    )
    rules = [rule("switched", recipients=["on-call@example.com"], cooldown_minutes=0) for _ in range(5)]

    def switch():
        try:
            for turn in range(40):
                value[0] = 30 * (turn % 3 > 0)
                changed(rules[turn % 5], enabled=turn % 2 == 1)
        except DatabaseError as error:
            failed.append(error)

    thread = threading.Thread(target=in_thread, args=(switch,))
    thread.start()
    while thread.is_alive():
        evaluate()
    thread.join()
    assert failed == []
    for one in rules:
        changed(one, enabled=False)
    assert {state for one in rules for state, _ in states(one)} <= {"RESOLVED"}


def test_whoever_changes_a_rule_or_sends_a_message_waits_for_an_evaluation_or_it_for_them(monkeypatch):
    """Rules before alerts, and alerts in one order: also those of rules that are out of their hours."""
    monkeypatch.setitem(
        TYPES, "locked", AlertType("locked", "", "", "", "", lambda rule, now: [Reading(Decimal(30), "high")])
    )
    rules = [rule("locked", recipients=["on-call@example.com"], cooldown_minutes=0) for _ in range(2)]
    AlertConfiguration.objects.filter(pk=rules[0].pk).update(recipients=[])
    evaluate()
    late = AlertConfiguration.objects.filter(pk=rules[0].pk)
    late.update(recipients=["on-call@example.com"], weekdays=[(clock.now() + timedelta(days=3)).isoweekday()])
    waiting = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE %s"
    )

    def meets(statement, parameters, table):
        """Whether an evaluation waits for what is locked here, having locked none of the alerts."""
        with connect("default") as other:
            other.execute(statement, parameters)
            thread = threading.Thread(target=in_thread, args=(evaluate,))
            thread.start()
            while thread.is_alive() and not rows(waiting, f"%{table}%FOR %UPDATE%"):
                pass
            assert thread.is_alive()
            other.execute("SELECT FROM alerts WHERE configuration_id = ANY(%s) FOR UPDATE NOWAIT", (ids,))
            other.rollback()
            thread.join()

    ids = [one.pk for one in rules]
    meets("SELECT FROM alert_configurations WHERE id = %s FOR UPDATE", (rules[0].pk,), "alert_configurations")
    first = min(alert.pk for one in rules for alert in alerts_of(one))
    meets("SELECT FROM alerts WHERE id = %s FOR UPDATE", (first,), "alerts")
    assert [alert.told_at is not None for one in rules for alert in alerts_of(one)] == [True, True]


def changed(rule, **given):
    change_rule(by=of_command(), rule_id=rule.pk, given=given)


def test_a_rule_that_cannot_be_measured_keeps_no_other_from_it(rare_asset, monkeypatch):
    def fail(rule, now):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        return []

    monkeypatch.setitem(TYPES, "broken", AlertType("broken", "", "", "", "", fail))
    broken, mine = rule("broken"), rule(asset=rare_asset)
    figures(rare_asset, failed=100)
    evaluate()
    assert (len(alerts_of(broken)), len(alerts_of(mine))) == (0, 1)


def test_each_subject_of_a_rule_has_an_alert_of_its_own(monkeypatch):
    values = {"one": 30, "two": 30}
    monkeypatch.setitem(
        TYPES, "many", AlertType("many", "", "", "", "", lambda rule, now: [
            Reading(Decimal(value), f"{name} is high", subject=name) for name, value in values.items()
        ])
    )  # fmt: skip
    mine = rule("many", resolve_after=1)
    evaluate()
    values["one"] = 0
    evaluate()
    assert [(alert.subject, alert.state) for alert in alerts_of(mine)] == [("one", "RESOLVED"), ("two", "PENDING")]


def test_a_rule_is_evaluated_in_its_hours_and_on_its_days_only():
    monday = clock.now().replace(year=2026, month=11, day=23, hour=9)
    assert is_due(AlertConfiguration(weekdays=[], from_hour=0, to_hour=24), monday)
    assert is_due(AlertConfiguration(weekdays=[1], from_hour=9, to_hour=10), monday)
    assert not is_due(AlertConfiguration(weekdays=[2, 3], from_hour=0, to_hour=24), monday)
    assert not is_due(AlertConfiguration(weekdays=[], from_hour=10, to_hour=24), monday)
    assert not is_due(AlertConfiguration(weekdays=[], from_hour=22, to_hour=6), monday)
    assert is_due(AlertConfiguration(weekdays=[], from_hour=22, to_hour=6), monday.replace(hour=23))
    assert is_due(AlertConfiguration(weekdays=[], from_hour=22, to_hour=6), monday.replace(hour=5))


def test_a_rule_outside_its_hours_leaves_its_alerts_as_they_are(rare_asset):
    mine = rule(asset=rare_asset, resolve_after=1)
    figures(rare_asset, failed=100)
    evaluate()
    forget_figures(rare_asset)
    hour = (clock.now().hour + 2) % 24
    AlertConfiguration.objects.filter(pk=mine.pk).update(from_hour=hour, to_hour=hour + 1)
    evaluate()
    assert states(mine) == [("PENDING", 1)]


def test_what_others_raise_is_one_alert_until_somebody_resolves_it():
    mine, name = rule("ledger_inconsistency", threshold=10**6), uuid4().hex
    raised = {
        "type": "ledger_inconsistency", "fingerprint": name, "severity": "CRITICAL", "title": "A balance differs",
        "detail": "by 5", "subject_type": "account", "subject_id": str(uuid4()), "value": "5",
    }  # fmt: skip
    with atomic():
        raise_alert(**raised)
    with atomic():
        raise_alert(**raised | {"value": "6"})
    [alert] = Alert.objects.filter(fingerprint__endswith=name)
    assert (alert.state, alert.occurrences, alert.value, alert.severity) == ("PENDING", 2, "6", "critical")
    assert (alert.configuration_id, alert.urgency) == (mine.pk, 3)
    for _ in range(3):
        evaluate()
    alert.refresh_from_db()
    assert (alert.state, alert.occurrences) == ("PENDING", 2)


def test_what_others_raised_lasts_when_its_rule_is_switched_off():
    name, kind = uuid4().hex, f"t{uuid4().hex[:8]}"
    mine = rule(type="job_failures")
    with atomic():
        raise_alert(type="job_failures", fingerprint=name, severity="critical", title=kind, detail="")
    change_rule(by=of_command(), rule_id=mine.pk, given={"enabled": False})
    assert Alert.objects.get(fingerprint__endswith=name).state == "PENDING"


def test_what_is_raised_in_a_transaction_that_fails_was_not_raised():
    name = uuid4().hex
    with pytest.raises(ZeroDivisionError), atomic():
        raise_alert(type="x", fingerprint=name, severity="info", title="t", detail="")
        raise ZeroDivisionError
    assert not Alert.objects.filter(fingerprint__endswith=name).exists()


def test_what_was_measured_is_kept_for_charts_and_not_for_ever(rare_asset):
    mine = rule(asset=rare_asset)
    figures(rare_asset, settled=90, failed=10)
    old = clock.now() - timedelta(days=9)
    AlertSample.objects.create(configuration=mine, subject="", at=old, value=1, volume=1)
    evaluate()
    [sample] = AlertSample.objects.filter(configuration=mine)
    assert (sample.value, sample.volume) == (10, 100)


COPIED = (
    "type, severity, title, detail, subject, subject_type, subject_id, asset, value, threshold, first_seen, last_seen,"
    " owner_name, acknowledged_by, resolved_by, classification, note, urgency, occurrences, quiet"
)
COPY = (
    f"INSERT INTO alerts (id, fingerprint, state, told_at, {COPIED})"
    f" SELECT gen_random_uuid(), {{}}, {{}}, now(), {COPIED} FROM alerts WHERE id = %(id)s"
)
BREAKS = {
    "born sent": COPY.format("fingerprint || 'x'", "'SENT'"),
    "a second open one": COPY.format("fingerprint", "'PENDING'"),
    "sent and not told": "UPDATE alerts SET state = 'SENT' WHERE id = %(id)s",
    "acknowledged by nobody": "UPDATE alerts SET state = 'ACKNOWLEDGED' WHERE id = %(id)s",
    "resolved at no time": "UPDATE alerts SET state = 'RESOLVED' WHERE id = %(id)s",
    "resolved by somebody as nothing": "UPDATE alerts SET state = 'RESOLVED', resolved_at = now(), resolved_by = 'a'"
    " WHERE id = %(id)s",
    "fewer occurrences": "UPDATE alerts SET occurrences = 0 WHERE id = %(id)s",
}


@pytest.mark.parametrize("statement", BREAKS.values(), ids=BREAKS.keys())
def test_the_database_keeps_an_alert_on_its_way(rare_asset, statement):
    rule(asset=rare_asset)
    figures(rare_asset, failed=100)
    evaluate()
    alert = Alert.objects.get(asset=rare_asset)
    with pytest.raises(IntegrityError), atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {"id": alert.pk})


@pytest.mark.parametrize("state", ["PENDING", "SENT", "ACKNOWLEDGED"])
def test_what_is_resolved_stays_so(rare_asset, state):
    mine = rule(asset=rare_asset, resolve_after=1)
    figures(rare_asset, failed=100)
    evaluate()
    forget_figures(rare_asset)
    evaluate()
    [alert] = alerts_of(mine)
    with pytest.raises(IntegrityError), atomic():
        Alert.objects.filter(pk=alert.pk).update(
            state=state, resolved_at=None, told_at=clock.now(), acknowledged_at=clock.now(), acknowledged_by="a"
        )
