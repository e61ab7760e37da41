"""Alerts and their rules over HTTP."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from ledger import clock
from ops.alerts.evaluating import evaluate
from ops.alerts.models import Alert, AlertConfiguration, Notification
from tests.actors import actor
from tests.ops.alert_rules import alerts_of, figures, rule
from walletplatform.audit.models import AuditEntry


@pytest.fixture(autouse=True)
def only_mine():
    AlertConfiguration.objects.update(enabled=False)


@pytest.fixture
def alert(rare_asset):
    mine = rule(asset=rare_asset)
    figures(rare_asset, settled=60, failed=40)
    evaluate()
    return alerts_of(mine)[0]


def new(**given):
    usual = {"type": "failure_rate", "name": f"rule {uuid4().hex}", "threshold": "25", "severity": "warning"}
    return usual | {"recipients": ["on-call@example.com"], "window_minutes": 15} | given


def pages(who, path):
    found, cursor = [], ""
    while cursor is not None:
        answer = who.get(f"{path}&cursor={cursor}" if cursor else path).json()
        found += [one["id"] for one in answer["data"]]
        cursor = answer["next_cursor"]
    return found


def test_an_alert_is_listed_shown_and_acknowledged_once(shop, alert):
    shown = shop.get(f"/alerts/{alert.pk}").json()
    assert (shown["title"], shown["state"], shown["threshold"]) == ("40 % of payments fail", "PENDING", "20 %")
    assert shown in shop.get("/alerts?state=PENDING&limit=1").json()["data"]
    key = uuid4().hex
    done = shop.post(f"/alerts/{alert.pk}/acknowledge", {"note": "looking"}, key=key)
    assert (done.status_code, done.json()["state"]) == (200, "ACKNOWLEDGED")
    again = shop.post(f"/alerts/{alert.pk}/acknowledge", {"note": "looking"}, key=key)
    assert (again.content, again["Idempotency-Replayed"]) == (done.content, "true")
    refused = shop.post(f"/alerts/{alert.pk}/acknowledge", {})
    assert (refused.status_code, refused.json()["code"]) == (409, "invalid_state")
    assert refused.json()["current_state"] == "ACKNOWLEDGED"
    [entry] = AuditEntry.objects.filter(object_id=str(alert.pk))
    assert (entry.action, entry.actor_kind, entry.actor_id) == ("alert.acknowledge", "client", shop.id)
    assert (entry.before["state"], entry.after["state"], entry.reason) == ("PENDING", "ACKNOWLEDGED", "looking")


def test_pages_of_alerts_have_each_once(rare_asset):
    figures(rare_asset, failed=100)
    rules = [rule(asset=rare_asset) for _ in range(5)]
    evaluate()
    bound = actor("client", assets=frozenset({rare_asset}))
    mine = [str(alert.pk) for one in rules for alert in alerts_of(one)]
    assert pages(bound, "/alerts?limit=2") == sorted(mine, reverse=True)


def test_a_client_bound_to_assets_sees_what_is_about_these(alert, rare_asset):
    mine, other = actor("client", assets=frozenset({rare_asset})), actor("client", assets=frozenset({"EUR"}))
    assert [one["id"] for one in mine.get("/alerts").json()["data"]] == [str(alert.pk)]
    assert other.get("/alerts").json()["data"] == []
    missing = other.get(f"/alerts/{uuid4()}").json() | {"request_id": ""}
    assert other.get(f"/alerts/{alert.pk}").json() | {"request_id": ""} == missing
    assert other.post(f"/alerts/{alert.pk}/acknowledge", {}).status_code == 404
    assert Alert.objects.get(pk=alert.pk).state == "PENDING"
    for answer in (mine.get("/alerts/config"), mine.post("/alerts/config", new())):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_rule_is_made_changed_tried_and_switched_off(shop, rare_asset):
    figures(rare_asset, settled=90, failed=90, back=60)
    made = shop.post("/alerts/config", new(asset=rare_asset, slack_url=""))
    assert made.status_code == 201, made.content
    config = made.json()
    assert (config["would_have_fired"], config["warnings"], config["threshold"]) == (1, [], "25")
    path = f"/alerts/config/{config['id']}"
    assert shop.get(path).json() | {"would_have_fired": 1, "warnings": []} == config
    changed = shop.send("PATCH", path, {"threshold": "60"}).json()
    assert (changed["threshold"], changed["would_have_fired"], changed["version"]) == ("60", 0, 2)
    tried = shop.post(f"{path}/test", {})
    assert (tried.status_code, tried.json()) == (202, {"addresses": ["on-call@example.com"]})
    assert Notification.objects.get(configuration=config["id"]).is_test

    shop.send("PATCH", path, {"threshold": "10"})
    figures(rare_asset, failed=100)
    evaluate()
    shop.send("PATCH", path, {"enabled": False})
    assert Alert.objects.get(configuration=config["id"]).state == "RESOLVED"
    acts = AuditEntry.objects.filter(object_id=config["id"]).order_by("id").values_list("action", flat=True)
    assert list(acts) == ["alert_rule.create", *["alert_rule.change"], "alert_rule.test", *["alert_rule.change"] * 2]
    change = AuditEntry.objects.filter(object_id=config["id"], action="alert_rule.change").earliest("id")
    assert (change.before["threshold"], change.after["threshold"]) == ("25", "60")


def test_slacks_address_is_never_shown_or_kept_in_the_clear(shop, settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    secret = uuid4().hex
    config = shop.post("/alerts/config", new(slack_url=f"http://127.0.0.1:1/{secret}")).json()
    assert config["slack_host"] == "127.0.0.1"
    shown = [str(config), shop.get("/alerts/config").text, AlertConfiguration.objects.get(pk=config["id"]).slack_url]
    shown += [str(one.after) for one in AuditEntry.objects.filter(object_id=config["id"])]
    assert not any(secret in text for text in shown)


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ({"threshold": "100.1"}, "It can never fire: the value is 100 % at most."),
        ({"threshold": "0"}, "It always fires: the value is never below 0."),
        ({"minimum_volume": 500}, "It may never fire: no window of the last 7 days had 500 payments"),
        ({"threshold": "5"}, "It nearly always fires: in"),
        ({"recipients": []}, "It tells nobody"),
        ({"escalate_after_minutes": 30}, "It escalates to nobody"),
        ({"escalate_after_minutes": 30, "escalation_recipients": ["a@example.com"]}, "only critical alerts do"),
        ({"type": "hold_backlog", "threshold": "100001"}, "It can never fire"),
    ],
)
def test_a_doubtful_rule_is_kept_and_doubted(shop, rare_asset, given, warning):
    if given.get("threshold") == "5":
        for hours in range(7 * 24):
            figures(rare_asset, settled=9, failed=1, back=60 * hours)
        given = given | {"window_minutes": 180}
    answer = shop.post("/alerts/config", new(asset=rare_asset, **given))
    assert answer.status_code == 201, answer.content
    assert any(warning in said for said in answer.json()["warnings"]), answer.json()["warnings"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"type": "nonsense"}, "/type"),
        ({"threshold": "NaN"}, "/threshold"),
        ({"threshold": "1e3"}, "/threshold"),
        ({"threshold": 5}, "/threshold"),
        ({"severity": "urgent"}, "/severity"),
        ({"asset": "NOPE"}, "/asset"),
        ({"type": "outbox_lag", "asset": "EUR"}, "/asset"),
        ({"window_minutes": 0}, "/window_minutes"),
        ({"recipients": ["nobody"]}, "/recipients"),
        ({"recipients": ["a@example.com\nBcc: b@example.com"]}, "/recipients"),
        ({"recipients": ["a@example.com", "A@example.com"]}, "/recipients"),
        ({"recipients": [f"a{n}@example.com" for n in range(21)]}, "/recipients"),
        ({"slack_url": "http://169.254.169.254/latest"}, "/slack_url"),
        ({"slack_url": "https://localhost/x"}, "/slack_url"),
        ({"from_hour": 9, "to_hour": 9}, "/to_hour"),
        ({"weekdays": [8]}, "/weekdays/0"),
        ({"escalate_after_minutes": 1}, "/escalate_after_minutes"),
        ({"name": "two\nlines"}, "/name"),
        ({"told_at": "2026-01-01T00:00:00Z"}, "/told_at"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_and_leaves_nothing(shop, settings, given, field):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = False
    before = AlertConfiguration.objects.count()
    answer = shop.post("/alerts/config", new(**given))
    assert (answer.status_code, answer.json()["code"]) == (400, "validation_error")
    assert answer.json()["errors"][0]["pointer"].startswith(field)
    assert AlertConfiguration.objects.count() == before


def test_two_rules_have_two_names(shop):
    given = new()
    assert shop.post("/alerts/config", given).status_code == 201
    assert shop.post("/alerts/config", given).json()["errors"][0]["pointer"] == "/name"


def test_a_rule_that_tells_nobody_is_not_tried(shop):
    mine = rule()
    answer = shop.post(f"/alerts/config/{mine.pk}/test", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "invalid_state")
    assert shop.post(f"/alerts/config/{uuid4()}/test", {}).status_code == 404
    assert shop.send("PATCH", f"/alerts/config/{uuid4()}", {"threshold": "1"}).status_code == 404


def test_times_are_shown_with_their_offset(shop, alert):
    Alert.objects.filter(pk=alert.pk).update(muted_until=clock.now() + timedelta(hours=1))
    shown = shop.get(f"/alerts/{alert.pk}").json()
    assert shown["muted_until"].endswith("Z")
    assert shown["first_seen"] == shown["last_seen"]
