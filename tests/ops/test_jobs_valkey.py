"""Jobs at Valkey: emptied, nothing is lost; and whatever the broker, two beats do nothing twice."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64decode
from uuid import uuid4

import orjson
import pytest
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from redis import Redis

from ops.jobs import waking
from ops.jobs.models import Job
from ops.jobs.queueing import enqueue
from ops.jobs.sweeping import wake
from ops.tasks import ask_for
from tests.conftest import ROOT, process_number
from tests.ops import jobs_tried  # noqa: F401 (registers jobs)
from tests.ops.workers import at_broker, beat, until, worker
from walletplatform.beat import Scheduler
from walletplatform.celery import app
from walletplatform.identity.models import User
from walletplatform.queues import celery_queue

# A database of the tests' server that nothing else uses, of each test process.
URL = os.environ["REDIS_URL"].rsplit("/", 1)[0] + f"/{4 + process_number()}"


@pytest.fixture
def broker(settings, monkeypatch):
    monkeypatch.setattr(waking, "_deaf_until", 0.0)
    monkeypatch.setattr(waking, "_bell", None)
    valkey = Redis.from_url(URL)
    valkey.flushdb()
    with at_broker(URL, settings):
        yield valkey


@pytest.fixture
def started():
    """Processes that end with the test."""
    running = []
    yield running
    for one in running:
        one.kill()


def ask(times):
    marks = [uuid4().hex for _ in range(times)]
    for mark in marks:
        enqueue("tried.inside", {"mark": mark})
    return marks


def all_done(marks):
    return lambda: set(Job.objects.filter(payload__mark__in=marks).values_list("state", flat=True)) == {"DONE"}


def test_what_a_broker_forgot_or_never_heard_the_sweep_finds_and_its_workers_go_on(broker, started, settings):
    marks = ask(5)
    until(lambda: broker.llen(celery_queue("jobs")) >= 5)
    broker.flushdb()
    assert "jobs" in wake()
    started.append(worker({"BROKER_URL": URL}))
    until(all_done(marks))
    broker.flushdb()
    marks += ask(2)
    until(all_done(marks))
    with at_broker("redis://127.0.0.1:1/0", settings):
        marks += ask(3)
        until(lambda: waking._deaf_until > 0)
    waking._deaf_until = 0.0
    wake()
    until(all_done(marks))
    assert User.objects.filter(username__in=marks).count() == 10


def test_two_beats_at_once_have_each_slot_done_once(broker, started):
    Scheduler(app=app, lazy=True).setup_schedule()
    task = PeriodicTask.objects.get(name="clear old jobs")
    often, _ = IntervalSchedule.objects.get_or_create(every=1, period="seconds")
    PeriodicTask.objects.filter(pk=task.pk).update(interval=often, enabled=True)
    Job.objects.filter(name="jobs.clear").delete()
    started += [beat({"BROKER_URL": URL}) for _ in range(2)]

    def asked():
        messages = [orjson.loads(message) for message in broker.lrange(celery_queue("default"), 0, -1)]
        read = [(one["headers"]["origin"], orjson.loads(b64decode(one["body"]))[0]) for one in messages]
        return [(origin, arguments) for origin, arguments in read if arguments == ["jobs.clear", 60]]

    until(lambda: len({origin for origin, _ in asked()}) == 2 and len(asked()) >= 5)
    for _, arguments in asked():
        ask_for(*arguments)
    jobs = Job.objects.filter(name="jobs.clear")
    # Two where an hour has ended meanwhile.
    assert len(set(jobs.values_list("slot", flat=True))) == jobs.count() in (1, 2)


def test_what_a_command_asks_for_is_heard_though_it_ends_at_once(broker, started):
    started.append(worker({"BROKER_URL": URL}))
    mark = uuid4().hex
    asking = (
        "import tests.ops.jobs_tried; from ops.jobs import waking; from ops.jobs.queueing import enqueue;"
        " waking.PUBLISH_SECONDS = 60;"  # a busy machine takes longer to begin with a broker
        f" enqueue('tried.inside', {{'mark': {mark!r}}})"
    )
    name = connection.settings_dict["NAME"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "shell", "-v0", "-c", asking], cwd=ROOT, check=True,
        env=os.environ | {"BROKER_URL": URL, "DATABASE_URL": os.environ["DATABASE_URL"].rsplit("/", 1)[0] + "/" + name},
    )  # fmt: skip
    until(all_done([mark]))
