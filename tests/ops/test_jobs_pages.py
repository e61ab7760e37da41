"""Jobs, schedules, deliveries and events set aside in the console: acts by POST, with reason and audit entry."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from events import log, parked
from events.consumers import CONSUMERS, Consumer
from events.consuming import consume
from events.models import Cursor, ParkedEvent, ProcessedEvent, WebhookDelivery, WebhookEndpoint
from events.sequencer import sequence
from ledger import clock
from ops.jobs import acting
from ops.jobs.executing import work_off
from ops.jobs.models import Job
from ops.jobs.queueing import enqueue
from ops.jobs.schedules import times_of
from tests.money import rows
from tests.ops import jobs_tried  # noqa: F401 (registers jobs)
from tests.ops.staff import ROLES, console, person, root
from walletplatform.audit.models import AuditEntry
from walletplatform.beat import Scheduler
from walletplatform.celery import app

REASON = "its cause is mended"
RETRIERS = {"operator", "approver", "finance", "administrator"}


@pytest.fixture
def dead():
    """A job that was given up."""
    job = enqueue("tried.hopeless", {"mark": uuid4().hex, "nested": [{"api_token": "s3cret"}], "text": "<b>&"})
    while work_off("jobs", seconds=5):
        pass
    job.refresh_from_db()
    assert job.state == "DEAD"
    return job


@pytest.fixture
def schedules():
    Scheduler(app=app, lazy=True).setup_schedule()
    return PeriodicTask.objects


def on_job(job, act):
    return reverse(f"admin:ops_job_{act}", args=[job.pk])


def state(job):
    return Job.objects.get(pk=job.pk).state


def told(action, object_id):
    return AuditEntry.objects.get(action=action, object_id=str(object_id))


def everything():
    return (
        rows("SELECT id, state, due_at FROM jobs ORDER BY id"), rows("SELECT count(*) FROM audit_entries"),
        rows("SELECT id, enabled, interval_id, crontab_id FROM django_celery_beat_periodictask ORDER BY id"),
        rows("SELECT id, state, due_at FROM webhook_deliveries ORDER BY id"), rows("SELECT * FROM parked_events"),
        rows("SELECT id, enabled FROM webhook_endpoints ORDER BY id"),
    )  # fmt: skip


def test_a_dead_job_is_found_by_its_state_and_shows_why_and_what_to_do(dead):
    http = console(person("viewer"))
    listed = http.get(reverse("admin:ops_job_changelist"), {"state": "DEAD", "queue": "jobs"})
    assert dead.pk in [job.pk for job in listed.context["cl"].result_list]
    assert "It is of no use." in listed.text
    shown = http.get(on_job(dead, "change")).text
    for words in ("It is of no use.", "then retry it", "(not shown)", "&lt;b&gt;&amp;"):
        assert words in shown
    assert "s3cret" not in shown
    assert on_job(dead, "retry") not in shown


def test_a_dead_job_is_retried_from_its_page(dead):
    who = person("operator")
    http = console(who)
    assert on_job(dead, "retry") in http.get(on_job(dead, "change")).text
    assert http.post(on_job(dead, "retry"), {"reason": REASON}).status_code == 302
    job = Job.objects.get(pk=dead.pk)
    assert (job.state, job.tries, job.error, len(job.errors)) == ("WAITING", 0, dead.error, 1)
    entry = told("job.retry", dead.pk)
    assert (entry.actor_id, entry.reason) == (who.pk, REASON)
    assert (entry.before["state"], entry.after["state"]) == ("DEAD", "WAITING")
    acting.discard(actor=actor(who), job_id=dead.pk, reason=REASON)


def actor(who):
    from walletplatform.audit.actors import of_staff

    return of_staff(who)


def test_a_discarded_job_is_never_tried_and_offers_nothing_more(dead):
    http = console(person("finance"))
    http.post(on_job(dead, "discard"), {"reason": REASON})
    assert (state(dead), told("job.discard", dead.pk).before["state"]) == ("DISCARDED", "DEAD")
    shown = http.get(on_job(dead, "change")).text
    assert on_job(dead, "retry") not in shown
    answer = http.post(on_job(dead, "retry"), {"reason": REASON})
    assert "The job is discarded by now." in answer.text
    assert state(dead) == "DISCARDED"


def test_without_a_reason_nothing_happens(dead):
    before, http = everything(), console(person("operator"))
    for reason in ("", "short"):
        assert http.post(on_job(dead, "retry"), {"reason": reason}).status_code == 200
    assert everything() == before


def test_chosen_jobs_are_acted_on_together_with_an_entry_for_each(dead):
    jobs = [dead, *(enqueue("tried.hopeless", {"mark": uuid4().hex}) for _ in range(2))]
    while work_off("jobs", seconds=5):
        pass
    http, shown = console(person("operator")), reverse("admin:ops_job_changelist")
    chosen = http.post(shown, {"action": "discard_selected", "_selected_action": [str(job.pk) for job in jobs]})
    assert chosen.status_code == 302
    before = everything()
    page = http.get(chosen.url)
    assert "Discard 3 jobs" in page.text
    assert everything() == before
    acting.discard(actor=actor(person("operator")), job_id=dead.pk, reason="somebody was faster")
    assert http.post(chosen.url, {"reason": "short"}).status_code == 200
    answer = http.post(chosen.url, {"reason": REASON})
    messages = " ".join(str(message) for message in http.get(answer.url).context["messages"])
    assert "Discarded: 2 of 3 jobs." in messages
    assert "The job is discarded by now." in messages
    assert {state(job) for job in jobs} == {"DISCARDED"}
    assert (
        AuditEntry.objects.filter(action="job.discard", reason=REASON, object_id__in=[j.pk for j in jobs]).count() == 2
    )


def test_what_is_scheduled_is_shown_and_switched_by_an_administrator_only(schedules):
    task = schedules.get(name="compare events with the ledger")
    http, page = (
        console(person("administrator")),
        reverse("admin:django_celery_beat_periodictask_change", args=[task.pk]),
    )
    shown = http.get(page).text
    for words in ("Compare events with the ledger", "every hour", "once every hour"):
        assert words in shown
    off = reverse("admin:django_celery_beat_periodictask_switch_off", args=[task.pk])
    assert off in shown
    http.post(off, {"reason": REASON})
    assert schedules.get(pk=task.pk).enabled is False
    assert told("schedule.switch", task.pk).after["enabled"] is False
    times = reverse("admin:django_celery_beat_periodictask_change_interval", args=[task.pk])
    http.post(times, {"reason": REASON, "every": 30, "period": "minutes"})
    assert told("schedule.change", task.pk).after["times"] == "every 30 minutes"

    Scheduler(app=app, lazy=True).setup_schedule()
    kept = schedules.get(pk=task.pk)
    changed = kept.date_changed
    Scheduler(app=app, lazy=True).setup_schedule()
    assert schedules.get(pk=task.pk).date_changed == changed
    assert (kept.enabled, kept.interval.every, kept.interval.period) == (False, 30, "minutes")


def test_times_that_mean_nothing_are_refused(schedules):
    http, before = console(person("administrator")), everything()
    hourly, nightly = schedules.get(name="clear old jobs"), schedules.get(name="reconcile everything")
    interval = reverse("admin:django_celery_beat_periodictask_change_interval", args=[hourly.pk])
    for every, period in (
        (0, "hours"),
        (1, "seconds"),
        (4, "seconds"),
        (1, "microseconds"),
        (99_999, "days"),
        ("x", "days"),
    ):
        answer = http.post(interval, {"reason": REASON, "every": every, "period": period})
        assert (answer.status_code, bool(answer.context["form"].errors)) == (200, True)
    crontab = reverse("admin:django_celery_beat_periodictask_change_times", args=[nightly.pk])
    for times in ("", "* * *", "61 * * * *", "a b c d e", "* * * * * *", f"{'1,' * 40}1 * * * *"):
        answer = http.post(crontab, {"reason": REASON, "times": times})
        assert (answer.status_code, bool(answer.context["form"].errors)) == (200, True)
    assert everything() == before
    http.post(crontab, {"reason": REASON, "times": "*/5  3 * * mon"})
    assert schedules.get(pk=nightly.pk).crontab.hour == "3"
    assert times_of(schedules.get(pk=nightly.pk)) == "*/5 3 * * mon (crontab, UTC)"
    assert times_of(schedules.get(name="reconcile what is new")) == "each hour, 7 minutes past"
    http.post(crontab, {"reason": REASON, "times": "37 2 * * *"})
    assert times_of(schedules.get(pk=nightly.pk)) == "each day at 02:37 UTC"


def test_what_the_settings_no_longer_name_is_no_longer_scheduled(schedules):
    PeriodicTask.objects.create(
        name="old", task="ops.tasks.gone", interval=schedules.exclude(interval=None)[0].interval
    )
    Scheduler(app=app, lazy=True).setup_schedule()
    assert not schedules.filter(name="old").exists()
    assert schedules.count() == len(app.conf.beat_schedule)


@pytest.fixture
def delivery(shop):
    """One that was given up, to an endpoint of the shop's."""
    endpoint = WebhookEndpoint.objects.create(
        id=uuid4(), client_id=shop.id, url="https://shop.example/hook", types=[], secret="x", after=log.head(),
        created_at=clock.now(),
    )  # fmt: skip
    now = clock.now()
    yield WebhookDelivery.objects.create(
        id=uuid4(), endpoint=endpoint, state="DEAD", attempts=10, due_at=now, give_up_at=now, created_at=now,
        finished_at=now,
    )  # fmt: skip
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(enabled=False)


def test_a_delivery_that_was_given_up_is_sent_again(delivery):
    http = console(person("operator"))
    address = reverse("admin:events_webhookdelivery_redeliver", args=[delivery.pk])
    assert address in http.get(reverse("admin:events_webhookdelivery_change", args=[delivery.pk])).text
    assert http.post(address, {"reason": REASON}).status_code == 302
    delivery.refresh_from_db()
    assert (delivery.state, delivery.counted_from, delivery.finished_at) == ("PENDING", 10, None)
    assert told("delivery.redeliver", delivery.pk).before["state"] == "DEAD"


def test_an_endpoint_is_muted_and_enabled_and_nothing_is_sent_to_a_muted_one(delivery):
    http, endpoint = console(person("finance")), delivery.endpoint
    on, off = (reverse(f"admin:events_webhookendpoint_{act}", args=[endpoint.pk]) for act in ("enable", "mute"))
    http.post(off, {"reason": REASON})
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.disabled_reason) == (False, "Switched off by the platform's staff.")
    again = http.post(reverse("admin:events_webhookdelivery_redeliver", args=[delivery.pk]), {"reason": REASON})
    assert "The endpoint is switched off" in again.text
    http.post(on, {"reason": REASON})
    endpoint.refresh_from_db()
    assert (endpoint.enabled, endpoint.disabled_reason) == (True, "")
    assert [told(f"webhook.{act}", endpoint.pk).reason for act in ("mute", "enable")] == [REASON, REASON]


@pytest.fixture
def poison(shop, monkeypatch):
    """A reader that failed on a wallet's first event, and whose second waits behind it; ``mended`` lets it go on."""
    monkeypatch.setattr("events.consuming.PAUSE_SECONDS", 0)
    name, mended = f"t{uuid4().hex[:12]}", []

    def apply(events):
        if not mended:
            raise ValueError("<poison>")

    while sequence():
        pass
    start = log.head()
    consumer = Consumer(
        name, "a reader of this test", frozenset(), apply=apply, reset=lambda: None, order_of_wallets=True
    )
    CONSUMERS[name] = consumer
    Cursor.objects.create(name=name, position=start)
    ann, bob = shop.wallet(holding="5.00"), shop.wallet()
    shop.pay(ann, bob, "1.00")
    while sequence():
        pass
    while consume(consumer):
        pass
    yield name, mended
    del CONSUMERS[name]
    ParkedEvent.objects.filter(consumer=name).delete()


def aside(name):
    return list(ParkedEvent.objects.filter(consumer=name).order_by("position"))


def on_parked(event, act):
    return reverse(f"admin:events_parkedevent_{act}", args=[event.pk])


def test_an_event_set_aside_says_what_to_do_and_goes_on_when_it_is_retried(poison):
    name, mended = poison
    first, *behind = aside(name)
    http = console(person("operator"))
    shown = http.get(on_parked(first, "change")).text
    for words in ("ValueError: &lt;poison&gt;", "Mend what the error says", "a reader of this test"):
        assert words in shown
    waiting = next(one for one in behind if not one.error)
    shown = http.get(on_parked(waiting, "change")).text
    assert "See to the earlier one first" in shown
    assert on_parked(waiting, "retry") not in shown

    http.post(on_parked(first, "retry"), {"reason": REASON})
    assert aside(name)[0].tries == first.tries + 1
    assert "it waits for an earlier" in http.post(on_parked(waiting, "retry"), {"reason": REASON}).text.lower()
    mended.append(True)
    http.post(on_parked(first, "retry"), {"reason": REASON})
    while work_off("jobs", seconds=5):
        pass
    failed = [one for one in aside(name) if one.error]
    for one in failed:
        http.post(on_parked(one, "retry"), {"reason": REASON})
    while work_off("jobs", seconds=5):
        pass
    assert aside(name) == []
    entries = AuditEntry.objects.filter(action="event.retry", before__consumer=name).order_by("id")
    assert [entry.after is None for entry in entries][:2] == [False, True]


def test_a_discarded_event_is_never_had_and_what_waited_goes_on(poison):
    name, mended = poison
    first = aside(name)[0]
    http = console(person("operator"))
    assert "goes on without this event for good" in http.get(on_parked(first, "discard")).text
    http.post(on_parked(first, "discard"), {"reason": REASON})
    assert first.position not in [one.position for one in aside(name)]
    assert ProcessedEvent.objects.filter(consumer=name, position=first.position).exists()
    assert AuditEntry.objects.get(action="event.discard", before__consumer=name).reason == REASON
    mended.append(True)
    parked.retry(CONSUMERS[name])
    assert aside(name) == []


def addresses(dead, delivery, poison, schedules):
    task, event = schedules.get(name="clear old jobs"), aside(poison[0])[0]
    periodic = "admin:django_celery_beat_periodictask_{}"
    return {
        **{on_job(dead, act): RETRIERS for act in ("retry", "discard")},
        f"{reverse('admin:ops_job_several', args=['retry'])}?job={dead.pk}": RETRIERS,
        reverse("admin:events_webhookdelivery_redeliver", args=[delivery.pk]): RETRIERS,
        reverse("admin:events_webhookendpoint_mute", args=[delivery.endpoint_id]): RETRIERS,
        on_parked(event, "retry"): RETRIERS, on_parked(event, "discard"): RETRIERS,
        reverse(periodic.format("switch_off"), args=[task.pk]): {"administrator"},
        reverse(periodic.format("change_interval"), args=[task.pk]): {"administrator"},
    }  # fmt: skip


def test_each_role_does_what_it_may_by_a_post_and_nobody_anything_by_a_get(dead, delivery, poison, schedules):
    given = {"reason": REASON, "every": 1, "period": "hours"}
    known = addresses(dead, delivery, poison, schedules)
    before, http = everything(), console(root())
    for address in known:
        assert http.get(address, given).status_code in (200, 404)
    assert everything() == before
    for role in ROLES:
        http = console(person(role))
        for address, allowed in known.items():
            if role not in allowed:
                assert http.post(address, given).status_code == 403, (role, address)
    assert everything() == before
    for address in known:
        assert console(person("administrator")).post(address, given).status_code in (200, 302), address


def test_schedules_are_neither_added_nor_edited_by_hand(schedules):
    http, before, task = console(root()), everything(), schedules.first()
    for name, arguments in (("add", []), ("change", [task.pk]), ("delete", [task.pk])):
        address = reverse(f"admin:django_celery_beat_periodictask_{name}", args=arguments)
        assert http.post(address, {"name": "x", "task": "os.system", "post": "yes"}).status_code in (302, 403, 405)
    for name in ("intervalschedule", "crontabschedule", "clockedschedule", "solarschedule"):
        assert http.get(f"/admin/django_celery_beat/{name}/").status_code == 404
    assert everything() == before


@pytest.mark.parametrize("page", ["ops_job", "django_celery_beat_periodictask", "events_parkedevent"])
def test_lists_ask_the_database_little_and_count_nothing(dead, schedules, page):
    http = console(person("operator"))
    with CaptureQueriesContext(connection) as captured:
        assert http.get(reverse(f"admin:{page}_changelist")).status_code == 200
    assert len(captured) <= 12


def test_jobs_are_among_the_metrics(dead, client):
    found = client.get("/metrics").text
    assert 'wallet_jobs_due{queue="mail"}' in found
    [number] = [line.split()[1] for line in found.splitlines() if line.startswith('wallet_jobs_dead{queue="jobs"}')]
    assert float(number) >= 1
