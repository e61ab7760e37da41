"""
Alerts on record: the rules by which they come about, each alert with its states, and who was told of it.

Nothing here is ever deleted, an alert moves along its states only, and of a fingerprint one is open at a time: the
database keeps all of it (``ops/migrations/0007_alerts.sql``).
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Severity(models.TextChoices):
    CRITICAL = "critical", "Critical"
    WARNING = "warning", "Warning"
    INFO = "info", "Info"


class AlertConfiguration(models.Model):
    """
    A rule: what is measured (``type``, of ``ops.alerts.types.TYPES``), from which value on it alerts, and who is told.

    ``asset`` "" means all. ``threshold`` is in the type's unit. ``weekdays`` (1 is Monday) and the hours, from
    ``from_hour`` until before ``to_hour``, in UTC, are when it is evaluated. ``slack_url`` is a secret, and sealed.
    ``told_at`` is when a message last went out: the next waits for the cooldown.
    """

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=80, unique=True)
    type = models.CharField(max_length=24)
    asset = models.CharField(max_length=16, blank=True)
    threshold = models.DecimalField(max_digits=28, decimal_places=8)
    window_minutes = models.IntegerField()
    minimum_volume = models.IntegerField(default=0)
    severity = models.CharField(max_length=8, choices=Severity)
    recipients = ArrayField(models.CharField(max_length=254), default=list)
    slack_url = models.TextField(blank=True)
    cooldown_minutes = models.IntegerField(default=60)
    escalate_after_minutes = models.IntegerField(null=True)
    escalation_recipients = ArrayField(models.CharField(max_length=254), default=list)
    resolve_after = models.SmallIntegerField(default=2)
    weekdays = ArrayField(models.SmallIntegerField(), default=list)
    from_hour = models.SmallIntegerField(default=0)
    to_hour = models.SmallIntegerField(default=24)
    enabled = models.BooleanField(default=True)
    muted_until = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=1)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "alert_configurations"
        verbose_name = "alert rule"
        permissions = [("configure_alert", "Can make and change alert rules")]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """
    A condition that began, and lasts until it is RESOLVED. PENDING: nobody was told yet.

    ``fingerprint`` says what it is about: while one is open, the same again adds to its ``occurrences``. ``quiet``
    counts the evaluations since the condition last held; ``threshold`` is what it was held against. ``told_at`` and
    ``end_told_at`` are when its beginning and its end were put into messages, ``escalated_at`` when others were told.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "Pending"
        SENT = "SENT", "Sent"
        ACKNOWLEDGED = "ACKNOWLEDGED", "Acknowledged"
        RESOLVED = "RESOLVED", "Resolved"

    class Classification(models.TextChoices):
        BUG = "internal_bug", "Our bug"
        RELEASE = "internal_release", "Our release"
        OPERATION = "internal_operation", "Our operation"
        PROVIDER = "external_provider", "A provider"
        CLIENT = "external_client", "A client system"
        CUSTOMER = "external_customer", "A customer"
        FALSE_ALARM = "false_alarm", "False alarm"

    id = models.UUIDField(primary_key=True)
    configuration = models.ForeignKey(AlertConfiguration, models.PROTECT, null=True, related_name="alerts")
    type = models.CharField(max_length=24)
    fingerprint = models.CharField(max_length=200)
    severity = models.CharField(max_length=8, choices=Severity)
    title = models.CharField(max_length=200)
    detail = models.CharField(max_length=2000, blank=True)
    subject = models.CharField(max_length=80, blank=True)
    subject_type = models.CharField(max_length=24, blank=True)
    subject_id = models.CharField(max_length=200, blank=True)
    asset = models.CharField(max_length=16, blank=True)
    value = models.CharField(max_length=40, blank=True)
    threshold = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.PENDING)
    occurrences = models.IntegerField(default=1)
    quiet = models.SmallIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    told_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    end_told_at = models.DateTimeField(null=True)
    muted_until = models.DateTimeField(null=True)
    owner_id = models.UUIDField(null=True)
    owner_name = models.CharField(max_length=150, blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True)
    resolved_at = models.DateTimeField(null=True)
    resolved_by = models.CharField(max_length=150, blank=True)
    classification = models.CharField(max_length=20, choices=Classification, blank=True)
    note = models.CharField(max_length=1000, blank=True)
    # What a list begins with: 3 is open and critical, 0 is over. The database writes it.
    urgency = models.SmallIntegerField(default=0, editable=False)

    class Meta:
        db_table = "alerts"
        permissions = [("handle_alert", "Can acknowledge, assign, mute and resolve alerts")]
        constraints = [
            models.UniqueConstraint(fields=["fingerprint"], condition=~Q(state="RESOLVED"), name="alerts_one_open"),
        ]
        indexes = [
            models.Index(fields=["-urgency", "-id"], name="alerts_urgency"),
            models.Index(fields=["state", "id"], name="alerts_state"),
            models.Index(fields=["subject_id", "id"], name="alerts_subject"),
            # Whose beginning or end somebody is yet to be told.
            models.Index(
                fields=["configuration"],
                condition=Q(told_at__isnull=True) & ~Q(state="RESOLVED"),
                name="alerts_untold",
            ),
            models.Index(
                fields=["configuration"],
                condition=Q(told_at__isnull=False, end_told_at__isnull=True),
                name="alerts_end_untold",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class AlertStep(models.Model):
    """Something that happened to an alert: a new state, an owner, silence; ``by`` "" is the platform itself."""

    alert = models.ForeignKey(Alert, models.PROTECT, related_name="steps")
    at = models.DateTimeField()
    step = models.CharField(max_length=12)
    by = models.CharField(max_length=150, blank=True)
    note = models.CharField(max_length=1000, blank=True)

    class Meta:
        db_table = "alert_steps"

    def __str__(self) -> str:
        return f"{self.step} {self.at}"


class Notification(models.Model):
    """
    A message to one recipient about all that is to be told now; or a test of a rule, about no alert.

    A Slack message goes to the rule's address as it is when it is sent. ``address`` is shown: of Slack, the host.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", "E-mail"
        SLACK = "slack", "Slack"

    class State(models.TextChoices):
        WAITING = "WAITING", "Waiting"
        SENT = "SENT", "Sent"
        DEAD = "DEAD", "Given up"

    id = models.UUIDField(primary_key=True)
    channel = models.CharField(max_length=5, choices=Channel)
    address = models.CharField(max_length=254)
    configuration = models.ForeignKey(AlertConfiguration, models.PROTECT, null=True, related_name="+")
    is_test = models.BooleanField(default=False)
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    tries = models.SmallIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "alert_notifications"

    def __str__(self) -> str:
        return f"{self.channel} to {self.address}"


class NotifiedAlert(models.Model):
    """An alert in a message, and what is told of it."""

    class Word(models.TextChoices):
        BEGAN = "began", "Began"
        ESCALATED = "escalated", "Not acknowledged yet"
        ENDED = "ended", "Ended"

    pk = models.CompositePrimaryKey("notification_id", "alert_id")
    notification = models.ForeignKey(Notification, models.PROTECT, related_name="notified", db_index=False)
    alert = models.ForeignKey(Alert, models.PROTECT, related_name="notified")
    word = models.CharField(max_length=9, choices=Word)

    class Meta:
        db_table = "alert_notification_alerts"

    def __str__(self) -> str:
        return f"{self.word} {self.alert_id}"
