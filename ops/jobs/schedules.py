"""What is scheduled, and what people do about it: switch it off and on, and choose its times. Never what it does."""

from __future__ import annotations

import json
from typing import Any

from celery.schedules import ParseException, crontab
from django.db.transaction import atomic
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from ops.approvals.refusing import Refused
from ops.jobs.registry import JOBS
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record

SHORTEST_SECONDS = 5
PERIODS = [(str(value), str(name)) for value, name in IntervalSchedule.PERIOD_CHOICES if value != "microseconds"]
_SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def times_of(task: Any) -> str:
    """Return when a task is due, in words."""
    if task.interval:
        return f"every {span(*interval_of(task))}"
    if task.crontab:
        return _times(*(getattr(task.crontab, field) for field in FIELDS))
    return "never"


def _times(minute: str, hour: str, *days: str) -> str:
    """Return a crontab line (UTC) in words, where it is one of the usual ones."""
    if minute.isdecimal() and days == ("*", "*", "*"):
        if hour.isdecimal():
            return f"each day at {int(hour):02}:{int(minute):02} UTC"
        if hour == "*":
            return f"each hour, {int(minute)} minutes past" if int(minute) else "each hour, on the hour"
    return f"{' '.join([minute, hour, *days])} (crontab, UTC)"


def interval_of(task: Any) -> tuple[int, str]:
    """Return every how many of the longest unit that fits a task is due: 3600 seconds are 1 hour."""
    return _longest(task.interval.every * _SECONDS[task.interval.period])


def _longest(seconds: int) -> tuple[int, str]:
    unit = next(name for name, length in _SECONDS.items() if seconds % length == 0)
    return seconds // _SECONDS[unit], unit


def span(number: int, unit: str) -> str:
    return unit[:-1] if number == 1 else f"{number} {unit}"


def once_in(task: Any) -> str:
    """Return how often a job that a task asks for is done at most, in words; "" for other tasks."""
    found = json.loads(task.args or "[]")
    if task.task != "ops.tasks.ask_for" or len(found) != 2:
        return ""
    minutes = int(found[1])
    unit, length = next(
        (unit, one) for unit, one in (("days", 1440), ("hours", 60), ("minutes", 1)) if not minutes % one
    )
    return f"once every {span(minutes // length, unit)}"


def what(task: Any) -> str:
    """Return what a task does, in words where there are any."""
    found = json.loads(task.args or "[]")
    if task.task == "ops.tasks.ask_for" and found and found[0] in JOBS:
        return JOBS[found[0]].title
    return str(task.name).capitalize()


@atomic(durable=True)
def switch(*, actor: Actor, task_id: int, enabled: bool, reason: str) -> None:
    """
    Switch a schedule on or off.

    :raises Refused: ``not_found``, ``invalid`` where it is so already
    """
    task = _locked(task_id)
    if task.enabled == enabled:
        raise Refused("invalid", f"It is switched {'on' if enabled else 'off'} already.")
    _save(task, actor, "switch", reason, enabled=enabled)


@atomic(durable=True)
def set_interval(*, actor: Actor, task_id: int, every: int, period: str, reason: str) -> None:
    """
    Have a task done every so many seconds, minutes, hours or days.

    :raises Refused: ``not_found``, ``invalid``
    """
    if period not in _SECONDS or not SHORTEST_SECONDS <= every * _SECONDS[period] <= 366 * 86_400:
        raise Refused("invalid", f"Choose {SHORTEST_SECONDS} seconds or more, and a year at most.")
    task = _locked(task_id)
    interval, _ = IntervalSchedule.objects.get_or_create(every=every, period=period)
    _save(task, actor, "change", reason, interval=interval, crontab=None)


@atomic(durable=True)
def set_crontab(*, actor: Actor, task_id: int, times: str, reason: str) -> None:
    """
    Have a task done at the times of a crontab line (UTC): minute, hour, day of the month, month, day of the week.

    :raises Refused: ``not_found``, ``invalid``
    """
    parts = times.split()
    if len(parts) != len(FIELDS) or max(map(len, parts)) > 60:
        raise Refused("invalid", "Five words, as in: 7 * * * *")
    given = dict(zip(FIELDS, parts, strict=True))
    try:
        crontab(**given)
    except (ParseException, ValueError, TypeError) as error:
        raise Refused("invalid", f"These are no times: {error}") from error
    task = _locked(task_id)
    found = CrontabSchedule.objects.filter(**given, timezone="UTC").first()
    chosen = found or CrontabSchedule.objects.create(**given, timezone="UTC")
    _save(task, actor, "change", reason, crontab=chosen, interval=None)


def _locked(task_id: int) -> Any:
    task = PeriodicTask.objects.select_for_update().filter(pk=task_id).first()
    if task is None:
        raise Refused("not_found", "There is no such schedule.")
    return task


def _save(task: Any, actor: Actor, act: str, reason: str, **changes: Any) -> None:
    before = _shown(task)
    for name, value in changes.items():
        setattr(task, name, value)
    task.save()  # and beat is told, by a row that it looks at
    record(
        actor=actor, action=f"schedule.{act}", object_type="schedule", object_id=task.pk, before=before,
        after=_shown(task), reason=reason,
    )  # fmt: skip


def _shown(task: Any) -> dict[str, Any]:
    return {"name": task.name, "enabled": task.enabled, "times": times_of(task)}
