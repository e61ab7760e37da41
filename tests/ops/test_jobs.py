"""Jobs: done once, tried again, set aside, found by the sweep; whoever asks, dies or is late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.db.transaction import atomic

from ledger import clock
from ops.jobs import dead_letters
from ops.jobs.executing import pause, work_off
from ops.jobs.holding import locks
from ops.jobs.models import Job
from ops.jobs.queueing import enqueue, enqueue_slot, slot_at
from ops.jobs.registry import JOBS, GiveUp, Handler
from ops.jobs.sweeping import KEPT, clear, wake
from ops.tasks import ask_for
from tests.ops.jobs_tried import address
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import User


@pytest.fixture
def a_job():
    """Register a handler of this test's own, in a queue that nothing else is in; returns its name."""
    Job.objects.filter(queue="ai", state="WAITING").update(state="DISCARDED", finished_at=clock.now())
    made = []

    def register(handle, *, tries=3, outside=False):
        name = f"test.{uuid4().hex}"
        JOBS[name] = Handler(name, name, "ai", tries, outside, handle)
        made.append(name)
        return name

    yield register
    for name in made:
        Job.objects.filter(name=name, state__in=["WAITING", "DEAD"]).update(state="DISCARDED", finished_at=clock.now())
        del JOBS[name]


def leave_mark(payload):
    """An effect that is seen from outside: a user of that name."""
    User.objects.create(username=payload["name"])


def marks(name):
    return User.objects.filter(username__startswith=name).count()


def work(name):
    return work_off(JOBS[name].queue, seconds=10)


def due_now(name):
    Job.objects.filter(name=name, state="WAITING").update(due_at=clock.now())


def states(name):
    return list(Job.objects.filter(name=name).order_by("created_at", "id").values_list("state", flat=True))


def test_a_job_is_done_once_and_says_so(a_job):
    name = a_job(leave_mark)
    job = enqueue(name, {"name": f"m-{name}"})
    assert (work(name), work(name)) == (1, 0)
    job.refresh_from_db()
    assert (job.state, job.tries, job.error, marks(f"m-{name}")) == ("DONE", 1, "", 1)
    assert job.created_at <= job.started_at <= job.finished_at


def test_without_the_transaction_of_what_it_is_about_there_is_no_job(a_job):
    name = a_job(leave_mark)
    with pytest.raises(RuntimeError), atomic():
        enqueue(name, {})
        raise RuntimeError
    assert states(name) == []


def test_a_job_that_is_not_due_waits(a_job):
    name = a_job(leave_mark)
    enqueue(name, {"name": f"m-{name}"}, due_at=clock.now() + timedelta(minutes=1))
    assert (work(name), states(name)) == (0, ["WAITING"])


def test_many_workers_do_each_job_once(a_job):
    name = a_job(leave_mark)
    for number in range(12):
        enqueue(name, {"name": f"m-{name}-{number}"})

    def at_it(_):
        try:
            return work(name)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(at_it, range(4))) == 12
    assert (set(states(name)), marks(f"m-{name}")) == ({"DONE"}, 12)


def test_what_fails_takes_its_effects_back_and_is_tried_again_until_it_is_dead(a_job):
    def breaks(payload):
        leave_mark(payload)
        raise ValueError("no\0 luck")

    name = a_job(breaks, tries=3)
    job = enqueue(name, {"name": f"m-{name}"})
    work(name)
    job.refresh_from_db()
    assert (job.state, job.tries, job.error) == ("WAITING", 1, "ValueError: no luck")
    assert job.due_at > clock.now() + timedelta(seconds=5)
    for _ in range(3):
        due_now(name)
        work(name)
    job.refresh_from_db()
    assert (job.state, job.tries, marks(f"m-{name}")) == ("DEAD", 3, 0)
    assert [one["try"] for one in job.errors] == [1, 2, 3]


def test_what_it_is_of_no_use_to_try_again_is_dead_at_once(a_job):
    def gives_up(payload):
        raise GiveUp("There is nobody to write to.")

    name = a_job(gives_up)
    enqueue(name, {})
    work(name)
    job = Job.objects.get(name=name)
    assert (job.state, job.tries, job.error) == ("DEAD", 1, "There is nobody to write to.")


def test_a_job_that_this_worker_does_not_know_is_left_for_another_for_a_while(a_job):
    name = a_job(leave_mark)
    enqueue(name, {"name": f"m-{name}"})
    handler = JOBS.pop(name)
    for expected in ("WAITING", "WAITING", "WAITING", "WAITING", "DEAD"):
        due_now(name)
        work_off(handler.queue, seconds=10)
        assert states(name) == [expected]
    JOBS[name] = handler
    assert "does not know how" in Job.objects.get(name=name).error


def test_one_that_fails_holds_up_no_other(a_job):
    def breaks_sometimes(payload):
        if payload["name"] == "bad":
            raise ValueError("bad")
        leave_mark(payload)

    name = a_job(breaks_sometimes)
    for one in ("bad", f"m-{name}-1", f"m-{name}-2"):
        enqueue(name, {"name": one})
    assert (work(name), states(name), marks(f"m-{name}")) == (3, ["WAITING", "DONE", "DONE"], 2)


def test_a_dead_workers_job_is_free_at_once_and_a_living_ones_is_not(a_job):
    name = a_job(leave_mark)
    job = enqueue(name, {"name": f"m-{name}"})
    Job.objects.filter(pk=job.pk).update(state="RUNNING", tries=1, started_at=clock.now())
    with locks() as somebody, somebody.hold(job.pk) as held:
        assert (held, work(name), states(name)) == (True, 0, ["RUNNING"])
    assert work(name) == 1
    job.refresh_from_db()
    assert (job.state, job.tries, job.errors[0]["error"][:15]) == ("DONE", 2, "Its worker died")


def test_a_job_on_which_its_last_worker_died_is_set_aside(a_job):
    name = a_job(leave_mark, tries=1)
    job = enqueue(name, {"name": f"m-{name}"})
    Job.objects.filter(pk=job.pk).update(state="RUNNING", tries=1, started_at=clock.now())
    work(name)
    job.refresh_from_db()
    assert (job.state, job.tries, marks(f"m-{name}")) == ("DEAD", 1, 0)


def test_a_worker_that_was_overtaken_leaves_nothing(a_job):
    def slow(payload):
        leave_mark(payload)
        # Its lock was lost, and somebody else has put the try on record and begun another one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(overtake, payload["name"]).result()

    def overtake(mark):
        try:
            jobs = Job.objects.filter(payload__name=mark)
            jobs.update(state="WAITING", due_at=clock.now() + timedelta(hours=1))
        finally:
            connection.close()

    name = a_job(slow)
    enqueue(name, {"name": f"m-{name}"})
    work(name)
    assert (states(name), marks(f"m-{name}")) == (["WAITING"], 0)


@pytest.mark.parametrize(("place", "outside", "left"), [
    ("job.claimed", False, 0), ("job.done", False, 0), ("job.done", True, 1),
])  # fmt: skip
def test_a_worker_killed_at_any_point_has_its_job_done_by_the_next(place, outside, left):
    """``left``: what happened before the kill and no rollback takes back, so that it shows as one effect only."""
    mark = f"m-{uuid4().hex}"
    name = "tried.outside" if outside else "tried.inside"
    # What other tests have left is not what is to be killed at.
    Job.objects.filter(queue="jobs", state="WAITING").update(state="DISCARDED", finished_at=clock.now())
    job = enqueue(name, {"mark": mark})
    connection.close()
    env = os.environ | {"FAIL_POINT": place, "DATABASE_URL": address()}
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.ops.jobs_tried", "work"], env=env, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    job.refresh_from_db()
    assert (job.state, job.tries, marks(mark)) == ("RUNNING", 1, left)
    work_off("jobs", seconds=10)
    job.refresh_from_db()
    assert (job.state, job.tries, marks(mark)) == ("DONE", 2, 1)


def test_a_slot_has_one_job_whoever_asks(a_job):
    name = a_job(leave_mark)

    def ask(_):
        try:
            return enqueue_slot(name, every=timedelta(days=1))
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        made = [one for one in pool.map(ask, range(8)) if one]
    assert len(made) == 1
    ask_for(name, 24 * 60)
    assert states(name) == ["WAITING"]


def test_a_slot_is_the_time_that_it_begins():
    moment = clock.now().replace(hour=13, minute=47, second=5, microsecond=3)
    day = f"{moment:%Y-%m-%d}T"
    assert slot_at(moment, timedelta(hours=1)) == day + "13:00:00Z"
    assert slot_at(moment, timedelta(minutes=5)) == day + "13:45:00Z"
    assert slot_at(moment, timedelta(days=1)) == day + "00:00:00Z"


def test_pauses_grow_and_end():
    means = [timedelta(seconds=seconds) for seconds in (10, 30, 90, 270, 810, 2430, 3600, 3600)]
    for tries, mean in enumerate(means, start=1):
        assert mean * 0.79 < pause(tries) < mean * 1.21


def test_the_sweep_rings_for_what_is_due_and_for_nothing_else(a_job):
    name = a_job(leave_mark)
    assert "ai" not in wake()
    enqueue(name, {"name": f"m-{name}"}, due_at=clock.now() + timedelta(hours=1))
    assert "ai" not in wake()
    due_now(name)
    assert "ai" in wake()
    work(name)
    assert "ai" not in wake()


def test_only_what_ended_long_ago_is_cleared_away(a_job):
    name = a_job(leave_mark)
    old, recent, waiting = (enqueue(name, {}, due_at=clock.now() + timedelta(days=1)) for _ in range(3))
    Job.objects.filter(pk=old.pk).update(state="DISCARDED", finished_at=clock.now() - KEPT - timedelta(days=1))
    Job.objects.filter(pk=recent.pk).update(state="DISCARDED", finished_at=clock.now() - KEPT + timedelta(days=1))
    clear({})
    assert set(Job.objects.filter(name=name).values_list("pk", flat=True)) == {recent.pk, waiting.pk}


@pytest.mark.parametrize("change", [
    {"state": "DONE", "finished_at": "2026-01-01T00:00:00Z"}, {"state": "DEAD", "finished_at": "2026-01-01T00:00:00Z"},
    {"tries": 1}, {"state": "RUNNING"}, {"state": "RUNNING", "tries": 2},
    {"finished_at": "2026-01-01T00:00:00Z"},
])  # fmt: skip
def test_the_database_refuses_what_no_job_does(a_job, change):
    name = a_job(leave_mark)
    job = enqueue(name, {"name": f"m-{name}"})
    with pytest.raises(DatabaseError):
        Job.objects.filter(pk=job.pk).update(**change)
    assert states(name) == ["WAITING"]


@pytest.mark.parametrize("change", [{"payload": {}}, {"name": "x"}, {"queue": "x"}, {"slot": "x"}, {"request_id": "x"}])
def test_what_was_asked_never_changes(a_job, change):
    job = enqueue(a_job(leave_mark), {"name": "x"})
    with pytest.raises(DatabaseError):
        Job.objects.filter(pk=job.pk).update(**change)


def test_what_may_still_be_done_is_not_deleted(a_job):
    name = a_job(leave_mark)
    job = enqueue(name, {})
    with pytest.raises(DatabaseError):
        Job.objects.filter(pk=job.pk).delete()
    assert states(name) == ["WAITING"]


def test_the_command_shows_what_is_dead_and_retries_it(a_job, capsys):
    def breaks(payload):
        raise GiveUp("no address")

    name = a_job(breaks)
    job = enqueue(name, {})
    work(name)
    call_command("jobs")
    assert f"{job.pk}  {name}  1 tries  no address" in capsys.readouterr().out
    call_command("jobs", "--retry", str(job.pk), "--reason", "it has one now")
    assert states(name) == ["WAITING"]
    assert AuditEntry.objects.get(object_id=str(job.pk)).reason == "it has one now"
    for wrong in ("x", str(uuid4())):
        with pytest.raises(CommandError):
            call_command("jobs", "--retry", wrong)


def test_a_dead_letter_without_an_id_or_with_what_the_database_keeps_not_is_kept_each_time():
    body = b'[["a\\u0000b"], {}, {}]'
    mark = uuid4().hex
    letters = [SimpleNamespace(headers={"task": f"{mark}\0"}, body=body, delivery_tag=1) for _ in range(2)]
    for letter in letters:
        dead_letters._keep(letter)
    kept = Job.objects.filter(payload__task=mark)
    assert [(job.state, job.payload["body"]) for job in kept] == [("DEAD", body.decode())] * 2
