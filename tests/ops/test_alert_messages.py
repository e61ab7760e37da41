"""People are told: in one message each, by mail and in Slack's format, whatever their servers do."""

from __future__ import annotations

import json
import smtplib
import socket
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db.models import F
from django.urls import reverse

from ledger import clock
from ops.alerts.configuring import represent, send_test
from ops.alerts.evaluating import evaluate
from ops.alerts.models import Alert, AlertConfiguration, Notification
from ops.alerts.reading import AlertType, Reading
from ops.alerts.sealing import seal
from ops.alerts.sending import TRIES, send
from ops.alerts.types import TYPES
from ops.jobs.executing import work_off
from ops.jobs.models import Job
from ops.jobs.registry import GiveUp
from ops.tasks import ask_for
from tests.events.receivers import Receiver
from tests.ops.alert_rules import alerts_of, cooled, figures, forget_figures, rule
from tests.ops.mail_server import MailServer
from tests.ops.staff import console, person
from walletplatform.audit.actors import of_command

HOSTILE = 'Ann\r\nBcc: all@example.com <script>alert(1)</script> & "x" | *b*'


@pytest.fixture(autouse=True)
def only_mine():
    AlertConfiguration.objects.update(enabled=False)
    Notification.objects.filter(state="WAITING").update(state="DEAD")


@pytest.fixture
def mail(settings):
    server = MailServer()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    settings.EMAIL_TIMEOUT = 10
    settings.PUBLIC_URL = "https://console.example"
    yield server
    server.close()


@pytest.fixture
def slack(settings):
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = True
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def values(monkeypatch):
    """What a type of rule of its own measures, by subject."""
    found: dict[str, int] = {}

    def read(rule, now):
        return [Reading(Decimal(value), f"{name} is {value}", subject=name) for name, value in found.items()]

    monkeypatch.setitem(TYPES, "values", AlertType("values", "Values", "%", "", "", read))
    return found


@pytest.fixture
def name():
    return f"{uuid4().hex}@example.com"


def waiting():
    return list(Notification.objects.filter(state="WAITING").order_by("id"))


def deliver():
    for message in waiting():
        send(message.pk)


def words(message):
    return message.get_body(("plain",)).get_content()


def test_a_beginning_and_an_end_are_mailed_as_text_and_html(mail, name, rare_asset):
    mine = rule(asset=rare_asset, recipients=[name], resolve_after=1)
    figures(rare_asset, settled=60, failed=40)
    evaluate()
    assert [alert.state for alert in alerts_of(mine)] == ["PENDING"]
    deliver()
    [alert] = alerts_of(mine)
    assert alert.state == "SENT"
    [message] = mail.to(name)
    assert message["Subject"] == "[critical] 40 % of payments fail"
    assert message["From"] == "Wallet platform <alerts@localhost>"
    link = f"https://console.example/admin/ops/alert/{alert.pk}/change/"
    page = message.get_body(("html",)).get_content()
    for part in (words(message), page):
        assert link in part
        assert "40 of 100 payments failed" in part
        assert f"{alert.first_seen:%Y-%m-%d %H:%M} UTC" in part
    assert "Measured: 40 %; alerts from 20 %." in words(message)

    evaluate()
    assert waiting() == []
    forget_figures(rare_asset)
    evaluate()
    deliver()
    assert mail.to(name)[1]["Subject"] == "Ended: 40 % of payments fail"
    evaluate()
    assert (waiting(), len(mail.to(name))) == ([], 2)


def test_a_storm_is_one_mail_and_then_keeps_to_its_cooldown(mail, name, values):
    mine = rule("values", recipients=[name], cooldown_minutes=60, resolve_after=1)
    values.update({f"subject {number}": 30 for number in range(1000)})
    for _ in range(3):
        evaluate()
    assert len(alerts_of(mine)) == 1000
    deliver()
    [message] = mail.to(name)
    assert "and 999 more" in message["Subject"]
    assert "And 980 more: https://console.example/admin/ops/alert/" in words(message)
    assert set(Alert.objects.filter(configuration=mine).values_list("state", flat=True)) == {"SENT"}

    for number in range(500):
        values[f"subject {number}"] = 0
    values |= {f"late {number}": 30 for number in range(100)}
    for _ in range(3):
        evaluate()
    assert waiting() == []
    cooled(mine)
    evaluate()
    deliver()
    assert len(mail.to(name)) == 2
    assert "and 599 more" in mail.to(name)[1]["Subject"]


def test_an_alert_of_a_type_that_is_no_more_still_has_its_page(name, values, monkeypatch):
    mine = rule("values", recipients=[name])
    values["a"] = 30
    for _ in range(3):
        evaluate()
    [alert] = alerts_of(mine)
    http, page = console(person("viewer")), reverse("admin:ops_alert_change", args=[alert.pk])
    assert "a is 30" in http.get(page).text
    monkeypatch.delitem(TYPES, "values")
    assert "a is 30" in http.get(page).text


def test_who_is_in_two_rules_gets_one_message_about_both(mail, name, values):
    other = f"{uuid4().hex}@example.com"
    first, second = rule("values", recipients=[name, other]), rule("values", recipients=[name], severity="info")
    values["a"] = 30
    evaluate()
    deliver()
    [message] = mail.to(name)
    assert (message["Subject"], words(message).count("a is 30")) == ("[critical] a is 30, and 1 more", 2)
    assert mail.to(other)[0]["Subject"] == "[critical] a is 30"
    assert [alert.state for alert in alerts_of(first) + alerts_of(second)] == ["SENT", "SENT"]


def test_what_is_muted_is_on_record_and_told_afterwards(mail, name, values):
    quiet, mine = rule("values", recipients=[name]), rule("values", recipients=[name])
    AlertConfiguration.objects.filter(pk=quiet.pk).update(muted_until=clock.now() + timedelta(hours=1))
    values["a"] = 30
    evaluate()
    Alert.objects.filter(configuration=mine).update(muted_until=clock.now() + timedelta(hours=1))
    deliver()
    assert words(mail.to(name)[0]).count("a is 30") == 1
    assert len(alerts_of(quiet)) == 1
    AlertConfiguration.objects.filter(pk=quiet.pk).update(muted_until=None)
    evaluate()
    deliver()
    assert len(mail.to(name)) == 2


def test_without_recipients_an_alert_stays_pending_until_there_are_some(mail, name, values):
    mine = rule("values")
    values["a"] = 30
    evaluate()
    assert (waiting(), alerts_of(mine)[0].told_at) == ([], None)
    AlertConfiguration.objects.filter(pk=mine.pk).update(recipients=[name])
    evaluate()
    deliver()
    assert len(mail.to(name)) == 1


def test_a_critical_alert_that_nobody_acknowledges_is_told_to_others_once(mail, name, values):
    boss = f"{uuid4().hex}@example.com"
    given = {"recipients": [name], "escalate_after_minutes": 15, "escalation_recipients": [boss]}
    critical, warning = rule("values", **given), rule("values", severity="warning", **given)
    values["a"] = 30
    evaluate()
    deliver()
    assert mail.to(boss) == []
    Alert.objects.filter(configuration__in=[critical, warning]).update(told_at=F("told_at") - timedelta(minutes=15))
    for _ in range(3):
        evaluate()
        deliver()
    assert [message["Subject"] for message in mail.to(boss)] == ["[critical] Not acknowledged: a is 30"]
    assert len(mail.to(name)) == 1


def test_who_acknowledges_before_the_time_is_over_keeps_others_asleep(mail, name, values):
    boss = f"{uuid4().hex}@example.com"
    mine = rule("values", recipients=[name], escalate_after_minutes=15, escalation_recipients=[boss])
    values["a"] = 30
    evaluate()
    deliver()
    Alert.objects.filter(configuration=mine).update(
        told_at=F("told_at") - timedelta(hours=1),
        state="ACKNOWLEDGED",
        acknowledged_at=clock.now(),
        acknowledged_by="x",
    )
    evaluate()
    deliver()
    assert mail.to(boss) == []


def test_hostile_words_make_no_header_and_no_markup(mail, slack, name, monkeypatch):
    read = lambda rule, now: [Reading(Decimal(30), HOSTILE, HOSTILE)]  # noqa: E731
    monkeypatch.setitem(TYPES, "hostile", AlertType("hostile", "", "", "", "", read))
    rule("hostile", recipients=[name], slack_url=seal(slack.url("/200")))
    evaluate()
    deliver()
    [message] = mail.to(name)
    assert message["Bcc"] is None
    assert message["Subject"].startswith("[critical] Ann Bcc: all@example.com <script>")
    page = message.get_body(("html",)).get_content()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    [body] = slack.bodies("/200")
    text = json.loads(body)["blocks"][1]["text"]["text"]
    assert "&lt;script&gt;" in text
    assert "<script>" not in body.decode()


def test_a_mail_that_is_sent_again_has_the_same_id(mail, name, values):
    rule("values", recipients=[name])
    values["a"] = 30
    evaluate()
    [message] = waiting()
    send(message.pk)
    send(message.pk)
    assert len(mail.to(name)) == 1
    # As if the worker had died before it put down that it was sent.
    Notification.objects.filter(pk=message.pk).update(state="WAITING", sent_at=None)
    send(message.pk)
    first, second = mail.to(name)
    assert first["Message-ID"] == second["Message-ID"] == f"<alert-{message.pk}@console.example>"


@pytest.mark.parametrize(
    ("who", "error", "given_up"),
    [
        ("refused", GiveUp, True),
        ("spam", GiveUp, True),
        ("later", smtplib.SMTPRecipientsRefused, False),
        ("slow", OSError, False),
    ],
)
def test_a_mail_server_that_does_not_take_it(mail, values, settings, who, error, given_up):
    if who == "slow":
        settings.EMAIL_TIMEOUT = 1
    mine = rule("values", recipients=[f"{who}@{uuid4().hex}.example"])
    values["a"] = 30
    evaluate()
    [message] = waiting()
    with pytest.raises(error):
        send(message.pk)
    message.refresh_from_db()
    assert (message.state, message.tries) == ("DEAD" if given_up else "WAITING", 1)
    assert message.error
    assert alerts_of(mine)[0].state == "PENDING"


def test_a_mail_server_that_is_not_there_is_tried_until_it_is_given_up_and_may_be_asked_again(
    mail, name, values, settings
):
    rule("values", recipients=[name])
    values["a"] = 30
    evaluate()
    [message] = waiting()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = free.getsockname()[1]
    for _ in range(TRIES):
        with pytest.raises(OSError, match="refused"):
            send(message.pk)
    message.refresh_from_db()
    assert (message.state, message.tries) == ("DEAD", TRIES)
    settings.EMAIL_PORT = mail.port
    send(message.pk)
    message.refresh_from_db()
    assert (message.state, message.error, len(mail.to(name))) == ("SENT", "", 1)


def test_slack_is_told_in_its_format(slack, values):
    rule("values", slack_url=seal(slack.url("/200")), resolve_after=1)
    values.update({f"subject {number}": 30 for number in range(20)})
    evaluate()
    deliver()
    [(_, headers, body)] = slack.got
    said = json.loads(body)
    assert said["text"] == "[critical] subject 0 is 30, and 19 more"
    assert headers["content-type"] == "application/json"
    assert len(said["blocks"]) == 14
    assert said["blocks"][-1]["text"]["text"].endswith("|8 more>")
    assert Notification.objects.latest("id").address == "127.0.0.1"


def test_news_for_slack_go_where_their_own_rule_says_by_the_time_they_are_sent(slack, values):
    first, second, third = (
        rule("values", name=f"{uuid4().hex[:8]} {n}", slack_url=seal(slack.url("/200"))) for n in "abc"
    )
    values["a"] = 30
    evaluate()
    AlertConfiguration.objects.filter(pk=first.pk).update(slack_url=seal(slack.url("/201")))
    AlertConfiguration.objects.filter(pk=second.pk).update(slack_url="")
    messages = {message.configuration_id: message.pk for message in waiting()}
    send(messages[first.pk])
    with pytest.raises(GiveUp):
        send(messages[second.pk])
    send(messages[third.pk])
    assert (len(slack.bodies("/201")), len(slack.bodies("/200"))) == (1, 1)
    assert [alert.state for one in (first, second, third) for alert in alerts_of(one)] == ["SENT", "PENDING", "SENT"]


@pytest.mark.parametrize(
    ("path", "error", "given_up"),
    [
        ("/404", GiveUp, True),
        ("/500", RuntimeError, False),
        ("/429", RuntimeError, False),
        ("/redirect?/200", RuntimeError, False),
        ("/hang", RuntimeError, False),
    ],
)
def test_a_receiver_that_does_not_take_it(slack, values, monkeypatch, path, error, given_up):
    if path == "/hang":
        monkeypatch.setattr("ops.alerts.slack.SECONDS", 0.5)
    rule("values", slack_url=seal(slack.url(path)))
    values["a"] = 30
    evaluate()
    [message] = waiting()
    with pytest.raises(error):
        send(message.pk)
    message.refresh_from_db()
    assert message.state == ("DEAD" if given_up else "WAITING")
    assert slack.url(path) not in message.error


def test_slack_at_an_inner_address_is_not_reached(slack, values, settings):
    rule("values", slack_url=seal(slack.url("/200").replace("http", "https")))
    values["a"] = 30
    evaluate()
    [message] = waiting()
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = False
    with pytest.raises(GiveUp):
        send(message.pk)
    assert slack.got == []


def test_a_name_that_leads_inside_by_the_time_of_the_connection_is_not_reached(slack, values, settings, monkeypatch):
    rule("values", slack_url=seal(slack.url("/200")))
    values["a"] = 30
    evaluate()
    [message] = waiting()
    monkeypatch.setattr("ops.alerts.slack.check_url", lambda address: None)
    settings.WEBHOOKS_MAY_REACH_LOOPBACK = False
    with pytest.raises(RuntimeError, match="It could not be reached"):
        send(message.pk)
    assert slack.got == []


def test_from_two_beats_through_the_jobs_to_one_mail(mail, name, values):
    Job.objects.filter(state="WAITING").update(state="DISCARDED", finished_at=clock.now())
    mine = rule("values", recipients=[name])
    values["a"] = 30
    slots = set(Job.objects.filter(name="alerts.evaluate").values_list("slot", flat=True))
    for _ in range(2):
        ask_for("alerts.evaluate", 5)
    [job] = Job.objects.filter(name="alerts.evaluate").exclude(slot__in=slots)
    work_off("jobs", seconds=10)
    work_off("mail", seconds=10)
    job.refresh_from_db()
    assert (job.state, [alert.state for alert in alerts_of(mine)]) == ("DONE", ["SENT"])
    assert len(mail.to(name)) == 1


def test_a_message_that_is_refused_for_good_is_a_dead_job_that_can_be_retried(mail, values):
    Job.objects.filter(state="WAITING").update(state="DISCARDED", finished_at=clock.now())
    rule("values", recipients=[f"spam@{uuid4().hex}.example"])
    values["a"] = 30
    evaluate()
    [message] = waiting()
    work_off("mail", seconds=10)
    job = Job.objects.get(payload={"notification_id": str(message.pk)})
    message.refresh_from_db()
    assert (job.state, message.state) == ("DEAD", "DEAD")
    assert job.error == message.error == "The mail server refuses: 554 This looks like spam"


def test_a_test_of_a_rule_says_that_it_is_one(mail, slack, name):
    mine = rule(recipients=[name], slack_url=seal(slack.url("/200")))
    send_test(by=of_command(), rule_id=mine.pk)
    deliver()
    assert mail.to(name)[0]["Subject"] == f"[test] {mine.name}"
    assert "Nothing has happened" in words(mail.to(name)[0])
    assert json.loads(slack.bodies("/200")[0])["text"] == f"[test] {mine.name}"


def test_an_address_that_nobody_can_unseal_any_more_keeps_no_other_from_being_told(rare_asset, settings):
    known = settings.SECRET_KEY
    settings.SECRET_KEY = "another " * 8
    sealed = seal("https://hooks.example.com/x")
    settings.SECRET_KEY = known
    lost = rule(asset=rare_asset, slack_url=sealed)
    told = rule(asset=rare_asset, recipients=["on-call@example.com"])
    figures(rare_asset, failed=10)
    evaluate()
    assert Notification.objects.filter(configuration=told).count() == 1
    [alert] = alerts_of(lost)
    assert (alert.state, represent(lost)["slack_host"]) == ("PENDING", "")
