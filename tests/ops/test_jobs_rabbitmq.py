"""Jobs at a real RabbitMQ, with workers that are killed: nothing lost, nothing twice, what is given up is shown."""

from __future__ import annotations

import signal
import time
from uuid import uuid4

import pytest
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from kombu import Connection

from ledger import clock
from ops.jobs import dead_letters, waking
from ops.jobs.models import Job
from ops.jobs.queueing import enqueue
from ops.jobs.sweeping import wake
from tests.events.rabbit import rabbit_or_skip
from tests.ops.jobs_tried import mark_or_kill
from tests.ops.staff import console, person
from tests.ops.workers import MailServer, at_broker, beat, until, worker
from walletplatform.beat import Scheduler
from walletplatform.celery import app
from walletplatform.identity.models import User
from walletplatform.queues import DEAD, celery_queue, queues
from walletplatform.queues import dead_letters as dead_letter_queue


@pytest.fixture(scope="module")
def rabbit(tmp_path_factory):
    started = rabbit_or_skip(tmp_path_factory.mktemp("rabbitmq"))
    with Connection(started.url) as connection:
        for queue in queues(started.url):
            queue(connection.channel()).declare()
    time.sleep(1)  # a broker that is killed right after has forgotten them by half
    yield started
    started.close()


@pytest.fixture
def broker(rabbit, settings, monkeypatch):
    monkeypatch.setattr(waking, "_deaf_until", 0.0)
    monkeypatch.setattr(waking, "_bell", None)
    with at_broker(rabbit.url, settings):
        yield rabbit


@pytest.fixture
def mails():
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def env(rabbit, mails, tmp_path):
    return {"BROKER_URL": rabbit.url, "SMTP_PORT": str(mails.port), "GATE": str(tmp_path / "gate")}


@pytest.fixture
def start(env):
    """Start a worker or a beat; whatever is left of it ends with the test."""
    started = []

    def begin(what=worker):
        started.append(what(env))
        return started[-1]

    yield begin
    for one in started:
        one.kill()


def ask(name, times=1):
    """Ask for jobs; returns their marks."""
    marks = [uuid4().hex for _ in range(times)]
    for mark in marks:
        enqueue(name, {"mark": mark})
    return marks


def jobs(marks):
    return list(Job.objects.filter(payload__mark__in=marks).order_by("created_at", "id"))


def all_are(state, marks):
    return lambda: {job.state for job in jobs(marks)} == {state}


def effects(marks):
    return sorted(User.objects.filter(username__in=marks).values_list("username", flat=True))


def depth(broker, queue):
    with Connection(broker.url) as connection:
        return connection.channel().queue_declare(celery_queue(queue), passive=True).message_count


def rung(broker, queue):
    """Whether messages are in a queue; a busy machine's first may have gone unheard, as the sweep's next does not."""
    wake()
    return depth(broker, queue) >= 2


def hurry(marks):
    """Have what waits for its next try be due now, and somebody told."""
    Job.objects.filter(payload__mark__in=marks, state="WAITING").update(due_at=clock.now())
    wake()


def test_a_worker_killed_in_the_middle_of_mails_and_summaries_loses_none_and_does_none_twice(
    broker, mails, start, tmp_path
):
    mailed, written = ask("tried.mail", 3), ask("tried.ai", 3)
    first = start()

    def begun():
        wake()
        return mails.brought and any((tmp_path / mark).exists() for mark in written)

    until(begun)
    first.kill()
    assert (mails.taken, effects(written)) == ([], [])
    mails.open = True
    (tmp_path / "gate").touch()
    start()
    until(all_are("DONE", mailed + written))
    assert sorted(mails.taken) == sorted(mailed)
    assert effects(written) == sorted(written)
    killed = [job for job in jobs(mailed + written) if job.errors]
    assert {(job.queue, job.tries) for job in killed} == {("mail", 2), ("ai", 2)}


def test_a_broker_that_is_killed_with_messages_in_it_and_away_for_a_while_loses_nothing(broker, mails, start, tmp_path):
    mails.open = True
    (tmp_path / "gate").touch()
    first, written = ask("tried.mail", 2), ask("tried.ai", 2)
    until(lambda: rung(broker, "mail"))
    broker.tell(signal.SIGSTOP)
    began = time.monotonic()
    second = ask("tried.mail", 2)
    broker.tell(signal.SIGCONT)
    broker.kill()
    second += ask("tried.mail")
    assert time.monotonic() - began < 5
    broker.start()
    until(lambda: depth(broker, "mail") >= 2)  # the same messages: it reads its queues back first
    start()
    until(all_are("DONE", first + second + written))
    assert sorted(mails.taken) == sorted(first + second)
    assert effects(written) == sorted(written)


def test_a_beat_goes_on_when_its_broker_was_killed_and_has_come_back(broker, start):
    Scheduler(app=app, lazy=True).setup_schedule()
    often, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.filter(name="clear old jobs").update(interval=often, enabled=True)
    start(beat)
    until(lambda: depth(broker, "default") >= 3)
    broker.kill()
    time.sleep(2.5)
    broker.start()
    until(lambda: depth(broker, "default") >= 3)  # the same: it reads its queues back first
    before = depth(broker, "default")
    until(lambda: depth(broker, "default") >= before + 3)
    start()
    until(lambda: depth(broker, "default") < before)


def test_what_kills_its_worker_or_fails_each_time_is_set_aside_and_holds_up_nothing(broker, start):
    start()
    [killing], [failing], [hopeless] = ask("tried.kills"), ask("tried.raises"), ask("tried.hopeless")
    good = ask("tried.inside", 5)
    until(lambda: (wake(), all_are("DONE", good)())[1])
    poison = [killing, failing, hopeless]

    def given_up():
        hurry(poison)
        return all_are("DEAD", poison)()

    until(given_up)
    assert [job.tries for job in jobs(poison)] == [3, 2, 1]
    assert effects([killing + "-half", failing]) == []
    assert effects(good) == sorted(good)
    until(lambda: depth(broker, "jobs") == 0)

    User.objects.create(username=killing + "-mended")
    http, [job] = console(person("operator")), jobs([killing])
    address = reverse("admin:ops_job_retry", args=[job.pk])
    assert http.post(address, {"reason": "its data was mended"}).status_code == 302
    until(all_are("DONE", [killing]))
    assert effects([killing + "-half"]) == [killing + "-half"]


def test_a_message_that_the_broker_gives_up_is_shown_and_done_when_it_is_retried(broker, start):
    start()
    mark = uuid4().hex
    mark_or_kill.apply_async([mark])
    app.send_task("nobody.knows", [mark], queue=celery_queue("mail"))
    with app.producer_or_acquire() as producer:
        headers = {"task": dead_letters.RING, "id": mark}
        producer.publish([["mail"], {}, {}], exchange=DEAD, declare=[dead_letter_queue()], headers=headers)

    def shown():
        dead_letters.collect()
        found = Job.objects.filter(name=dead_letters.NAME, payload__args=[mark])
        return found.order_by("payload__task") if found.count() == 2 else None

    unknown, killing = until(shown)
    assert (unknown.state, unknown.queue, unknown.error) == ("DEAD", "mail", "nobody.knows: No worker understood it.")
    assert (killing.state, killing.error.split(": ")[1]) == ("DEAD", "Its worker died at it each time.")
    assert effects([mark]) == []
    assert not Job.objects.filter(slot=mark).exists()

    User.objects.create(username=f"{mark}-mended")
    http = console(person("operator"))
    assert killing.error in http.get(reverse("admin:ops_job_change", args=[killing.pk])).text
    for job in (killing, unknown):
        http.post(reverse("admin:ops_job_retry", args=[job.pk]), {"reason": "its data was mended"})
    until(lambda: effects([mark]))
    until(lambda: Job.objects.get(pk=unknown.pk).state == "DEAD")
    assert (
        http.post(reverse("admin:ops_job_discard", args=[unknown.pk]), {"reason": "nobody knows it"}).status_code == 302
    )
    assert Job.objects.get(pk=unknown.pk).state == "DISCARDED"
