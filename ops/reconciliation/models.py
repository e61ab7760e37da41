"""
Reconciliation on record: each run with what it checked, and each difference that one has found.

A run's result never changes once it has finished, and a finding is never deleted: triggers keep to that
(``ops/migrations/0002_reconciliation.sql``).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ops.reconciliation.kinds import kind_of


class ReconciliationRun(models.Model):
    """
    One comparison of the ledger with itself and with all that is told of it.

    ``from_position`` and ``to_position`` are the span of the log that it answers for, (from, to]. ``slot`` is the
    hour or day that the schedule made it for; NULL: somebody asked. ``checked`` counts what was looked at, ``found``
    the findings by their kind.
    """

    class Kind(models.TextChoices):
        INCREMENTAL = "incremental", "Incremental"
        FULL = "full", "Full"

    class State(models.TextChoices):
        RUNNING = "RUNNING", "Running"
        CLEAN = "CLEAN", "Clean"
        FINDINGS = "FINDINGS", "Findings"
        FAILED = "FAILED", "Failed"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=11, choices=Kind)
    slot = models.DateTimeField(null=True)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    from_position = models.BigIntegerField(null=True)
    to_position = models.BigIntegerField(null=True)
    checked = models.JSONField(default=dict)
    found = models.JSONField(default=dict)
    truncated = models.BooleanField(default=False, help_text="More was found of a kind than is kept.")
    error = models.CharField(max_length=500, blank=True, help_text="Why it FAILED.")
    tries = models.SmallIntegerField(default=0)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "reconciliation_runs"
        verbose_name = "reconciliation"
        permissions = [("run_reconciliation", "Can have the ledger reconciled")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "slot"], name="reconciliation_runs_slot"),
            models.CheckConstraint(condition=Q(kind__in=["incremental", "full"]), name="reconciliation_runs_kind"),
            models.CheckConstraint(
                condition=Q(state="RUNNING", finished_at__isnull=True)
                | Q(state="FAILED", finished_at__isnull=False)
                | Q(
                    state__in=["CLEAN", "FINDINGS"],
                    finished_at__isnull=False,
                    from_position__isnull=False,
                    to_position__isnull=False,
                ),
                name="reconciliation_runs_state",
            ),
        ]
        indexes = [
            models.Index(fields=["to_position"], name="reconciliation_runs_to"),
            models.Index(fields=["id"], condition=Q(state="RUNNING"), name="reconciliation_runs_open"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Finding(models.Model):
    """
    A difference: where, what was ``expected`` and what is there.

    Seen again it stays one row, until it is RESOLVED. ``run`` is the first that saw it, ``last_run`` the last. One
    that was EXPLAINED opens again when what is there has changed.
    """

    class State(models.TextChoices):
        OPEN = "OPEN", "Open"
        EXPLAINED = "EXPLAINED", "Explained"
        RESOLVED = "RESOLVED", "Resolved"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=16)
    subject_id = models.CharField(max_length=200)
    evidence = models.JSONField(help_text="What was expected, and what is there.")
    state = models.CharField(max_length=9, choices=State, default=State.OPEN)
    owner = models.CharField(max_length=150, blank=True, help_text="Who looks after it.")
    note = models.TextField(blank=True)
    run = models.ForeignKey(ReconciliationRun, models.PROTECT, related_name="first_seen")
    last_run = models.ForeignKey(ReconciliationRun, models.PROTECT, related_name="seen")
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    frozen_at = models.DateTimeField(null=True, help_text="When the wallet that it is about was suspended for it.")

    class Meta:
        db_table = "reconciliation_findings"
        permissions = [("handle_finding", "Can look after findings and exceptions, explain and resolve them")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_type", "subject_id"],
                condition=~Q(state="RESOLVED"),
                name="reconciliation_findings_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["OPEN", "EXPLAINED", "RESOLVED"]), name="reconciliation_findings_state"
            ),
        ]
        indexes = [
            models.Index(fields=["subject_id"], name="reconciliation_findings_about"),
            models.Index(fields=["state", "id"], name="reconciliation_findings_by"),
            models.Index(fields=["owner", "id"], name="reconciliation_findings_own"),
        ]

    def __str__(self) -> str:
        return f"{kind_of(self.kind).title}, {self.subject_type} {self.subject_id}"
