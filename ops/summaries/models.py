"""
Summaries on record: the facts, what was told of them, and who told it; and each call of the model with its cost.

Nothing is deleted, and what is finished never changes: triggers keep to that (``ops/migrations/0008_summaries.sql``).
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Summary(models.Model):
    """
    What happened from ``begins_at`` until before ``ends_at``.

    ``slot`` is the day or week that the schedule made it for; NULL: somebody asked. ``facts`` is the JSON of
    ``ops.summaries.facts.Facts``: the model is given it without ``names``, which say what its pseudonyms stand for.
    ``claims`` are ``{"text": ..., "facts": [keys]}``. ``why`` says why the template wrote it and no model, ``detail``
    what exactly was wrong.
    """

    class Kind(models.TextChoices):
        DAILY = "daily", "Daily"
        WINDOW = "window", "Window"
        INCIDENT = "incident", "Incident"
        WEEKLY = "weekly", "Weekly"

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        DONE = "DONE", "Done"

    class Writer(models.TextChoices):
        MODEL = "model", "Model"
        TEMPLATE = "template", "Template"

    class Why(models.TextChoices):
        NO_KEY = "no_key", "No model is set up"
        OVER_BUDGET = "over_budget", "The day's budget for the model is used up"
        UNREACHABLE = "unreachable", "The model could not be reached"
        NO_ANSWER = "no_answer", "The model gave no answer in time"
        TURNED_AWAY = "turned_away", "The model's endpoint turned the request away"
        REFUSED = "refused", "The model refused"
        TRUNCATED = "truncated", "The model's answer broke off"
        TOO_LONG = "too_long", "The model's answer was longer than is read"
        GARBAGE = "garbage", "The model's answer was not in the form asked for"
        UNTRUE = "untrue", "The model said what the facts do not"
        UNFIT = "unfit", "The model's text was not plain: markup, a link, or a call to act"
        INTERRUPTED = "interrupted", "The worker died while it asked the model"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=8, choices=Kind)
    slot = models.DateTimeField(null=True)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    code = models.CharField(max_length=40, blank=True, help_text="Of an incident: the failure that it is about.")
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    requested_by = models.UUIDField(null=True)
    requested_name = models.CharField(max_length=150, blank=True)
    facts = models.JSONField(null=True)
    names = models.JSONField(default=dict)
    title = models.CharField(max_length=100, blank=True)
    claims = models.JSONField(default=list)
    written_by = models.CharField(max_length=8, choices=Writer, blank=True)
    why = models.CharField(max_length=11, choices=Why, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    model = models.CharField(max_length=100, blank=True, help_text="The model that was asked.")
    prompt_version = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ai_summaries"
        verbose_name_plural = "summaries"
        permissions = [("make_summary", "Can have a summary made")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "slot"], name="ai_summaries_slot"),
            models.CheckConstraint(
                condition=Q(kind__in=["daily", "window", "incident", "weekly"]), name="ai_summaries_kind"
            ),
            models.CheckConstraint(condition=Q(begins_at__lt=models.F("ends_at")), name="ai_summaries_window"),
            models.CheckConstraint(
                condition=Q(state="WAITING", finished_at__isnull=True, written_by="")
                | Q(state="DONE", finished_at__isnull=False, facts__isnull=False, written_by="model", why="")
                | Q(state="DONE", finished_at__isnull=False, facts__isnull=False, written_by="template") & ~Q(why=""),
                name="ai_summaries_state",
            ),
        ]
        indexes = [
            models.Index(fields=["kind", "id"], name="ai_summaries_list"),
            models.Index(fields=["kind", "begins_at", "id"], name="ai_summaries_days"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} summary, {self.begins_at:%Y-%m-%d %H:%M} to {self.ends_at:%Y-%m-%d %H:%M}"


class ModelCall(models.Model):
    """
    A request to the model, on record before it is sent: until ``cost`` is known, ``reserved`` is what it costs.

    Both are in the currency of the settings' prices. ``outcome`` is "" while it is under way, "answered", or a
    ``Summary.Why``.
    """

    pk = models.CompositePrimaryKey("summary_id", "number")
    summary = models.ForeignKey(Summary, models.PROTECT, related_name="calls", db_index=False)
    number = models.SmallIntegerField()
    model = models.CharField(max_length=100)
    reserved = models.DecimalField(max_digits=12, decimal_places=6)
    cost = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    tokens_in = models.IntegerField(null=True)
    tokens_out = models.IntegerField(null=True)
    outcome = models.CharField(max_length=11, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "ai_calls"
        verbose_name = "call of the model"
        verbose_name_plural = "calls of the model"
        indexes = [models.Index(fields=["started_at"], name="ai_calls_day")]

    def __str__(self) -> str:
        return f"{self.summary_id} {self.number}"
