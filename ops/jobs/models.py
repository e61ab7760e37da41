"""A piece of work to be done once, as a row: what is asked, how often it was tried, and what became of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Job(models.Model):
    """
    WAITING -> RUNNING -> DONE, or WAITING to be tried later, or DEAD; DEAD -> WAITING; WAITING and DEAD -> DISCARDED.

    ``name`` is a handler of ``ops/jobs/registry.py``, ``slot`` the time that a schedule made it for: a name has one
    job for each slot. ``errors`` are those of the latest tries. What was asked never changes, a job moves along its
    states only, and none goes while it may still be done: ``migrations/0012_jobs.sql``.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        RUNNING = "RUNNING", "Running"
        DONE = "DONE", "Done"
        DEAD = "DEAD", "Dead"
        DISCARDED = "DISCARDED", "Discarded"

    OPEN = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=100)
    queue = models.CharField(max_length=40)
    slot = models.CharField(max_length=64, blank=True)
    payload = models.JSONField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    tries = models.SmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    errors = models.JSONField(default=list)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    request_id = models.CharField(max_length=128)

    class Meta:
        db_table = "jobs"
        permissions = [("retry_job", "Can retry and discard jobs, deliveries and events set aside")]
        constraints = [
            models.UniqueConstraint(fields=["name", "slot"], condition=~Q(slot=""), name="jobs_slot"),
            models.CheckConstraint(
                condition=Q(state__in=["WAITING", "RUNNING"], finished_at__isnull=True)
                | Q(state__in=["DONE", "DEAD", "DISCARDED"], finished_at__isnull=False),
                name="jobs_finished",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "due_at", "id"], condition=Q(state__in=["WAITING", "RUNNING"]), name="jobs_due"
            ),
            models.Index(fields=["state", "id"], name="jobs_state"),
            models.Index(fields=["queue", "id"], name="jobs_queue"),
            models.Index(fields=["name", "id"], name="jobs_name"),
            models.Index(fields=["finished_at"], condition=Q(state__in=["DONE", "DISCARDED"]), name="jobs_old"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.id}"
