"""
The outbox and the log: facts as they were committed, then in one order for all.

An outbox id is drawn while the writer holds the locks of the accounts concerned, so ids follow each
wallet's own order. The sequencer moves the facts from the outbox into the log, where each has a position
without gaps. Nothing here decides what a payment or a wallet is.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class EventFields(models.Model):
    """What an event says, in the fields of CloudEvents 1.0; ``data`` is its JSON, as written."""

    event_id = models.UUIDField()
    type = models.CharField(max_length=40)
    subject = models.UUIDField(help_text="The wallet or payment that it is about.")
    time = models.DateTimeField()
    correlation_id = models.CharField(max_length=128)
    traceparent = models.CharField(max_length=64, blank=True)
    data = models.TextField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class OutboxEvent(EventFields):
    """A fact that was committed and has no place in the log yet."""

    id = models.BigAutoField(primary_key=True)

    class Meta:
        db_table = "outbox_events"


class Event(EventFields):
    """
    A fact in the log. ``position`` counts from 1 without gaps; ``asset`` and ``wallet_ids`` are whom it concerns.

    ``wallet_ids`` are the owned wallets that it names, not the system accounts.
    """

    position = models.BigIntegerField(primary_key=True)
    outbox_id = models.BigIntegerField(unique=True)
    asset = models.CharField(max_length=16)
    wallet_ids = ArrayField(models.UUIDField())
    sequenced_at = models.DateTimeField()

    class Meta:
        db_table = "events"
        indexes = [
            models.Index(fields=["asset", "type", "position"], name="events_asset_type"),
            models.Index(fields=["subject", "position"], name="events_subject"),
            # For people, who know a request's id from an answer or a log line.
            models.Index(fields=["correlation_id"], name="events_request"),
        ]


class WalletEvent(models.Model):
    """An event of a wallet, to be found by it."""

    pk = models.CompositePrimaryKey("wallet_id", "type", "position")
    wallet_id = models.UUIDField()
    type = models.CharField(max_length=40)
    position = models.BigIntegerField()

    class Meta:
        db_table = "event_wallets"

    def __str__(self) -> str:
        return f"{self.wallet_id} {self.position}"


class Cursor(models.Model):
    """
    How far a reader of the log has come: it has done with every event up to ``position``.

    Where that is below ``rebuilding_to``, its effects were taken back, and it has to have them anew from the log.
    """

    name = models.CharField(max_length=60, primary_key=True)
    position = models.BigIntegerField(default=0)
    rebuilding_to = models.BigIntegerField(db_default=0)
    moved_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "event_cursors"
        verbose_name = "reader"

    def __str__(self) -> str:
        return f"{self.name} at {self.position}"


class ProcessedEvent(models.Model):
    """An event whose effect a consumer has had: written with that effect, so that it is had once."""

    pk = models.CompositePrimaryKey("consumer", "position")
    consumer = models.CharField(max_length=60)
    position = models.BigIntegerField()

    class Meta:
        db_table = "processed_events"

    def __str__(self) -> str:
        return f"{self.consumer} {self.position}"


class ParkedEvent(models.Model):
    """
    An event that a consumer set aside, because it failed on it, or because an earlier one of the same is.

    ``keys`` are the payment (or wallet) and, where order matters to the consumer, the wallets that wait with it.
    """

    consumer = models.CharField(max_length=60)
    position = models.BigIntegerField()
    keys = ArrayField(models.UUIDField())
    error = models.TextField(help_text="Empty: it waits for an earlier one.")
    tries = models.IntegerField()
    parked_at = models.DateTimeField()

    class Meta:
        db_table = "parked_events"
        verbose_name = "event set aside"
        verbose_name_plural = "events set aside"
        constraints = [models.UniqueConstraint(fields=["consumer", "position"], name="parked_events_once")]

    def __str__(self) -> str:
        return f"{self.consumer} {self.position}"


class WebhookEndpoint(models.Model):
    """
    An address of a client to which events are sent, signed.

    It gets the events behind ``after``, of its ``types`` (empty: all) and of the ``assets`` that its client
    sees (NULL: all). Both secrets are encrypted; the former one signs too until ``former_until``.
    """

    id = models.UUIDField(primary_key=True)
    client_id = models.UUIDField()
    url = models.CharField(max_length=2000)
    description = models.CharField(max_length=200, blank=True)
    types = ArrayField(models.CharField(max_length=40))
    assets = ArrayField(models.CharField(max_length=16), null=True)
    secret = models.TextField()
    former_secret = models.TextField(blank=True)
    former_until = models.DateTimeField(null=True)
    after = models.BigIntegerField()
    enabled = models.BooleanField(default=True)
    disabled_reason = models.CharField(max_length=200, blank=True)
    failures = models.IntegerField(default=0, help_text="Attempts that failed since one last succeeded.")
    paused_until = models.DateTimeField(null=True, help_text="After several failures it is spared until then.")
    succeeded_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_endpoints"
        indexes = [models.Index(fields=["client_id", "id"], name="webhook_endpoints_client")]

    def __str__(self) -> str:
        return self.url


class WebhookDelivery(models.Model):
    """
    An event to be sent to an endpoint until it is taken; ``position`` NULL is a test's ping.

    ``attempts`` counts all of them, and the retry schedule those since ``counted_from``, which a
    redelivery moves. Somebody is at it until ``claimed_until``.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "Pending"
        DELIVERED = "DELIVERED", "Delivered"
        DEAD = "DEAD", "Given up"

    id = models.UUIDField(primary_key=True)
    endpoint = models.ForeignKey(WebhookEndpoint, models.PROTECT, related_name="deliveries", db_index=False)
    position = models.BigIntegerField(null=True)
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    counted_from = models.IntegerField(default=0)
    due_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True)
    give_up_at = models.DateTimeField()
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "webhook_deliveries"
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "position"], name="webhook_deliveries_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["PENDING", "DELIVERED", "DEAD"]), name="webhook_deliveries_state"
            ),
        ]
        indexes = [
            models.Index(fields=["endpoint", "state", "id"], name="webhook_deliveries_list"),
            models.Index(
                fields=["endpoint", "due_at"], condition=models.Q(state="PENDING"), name="webhook_deliveries_due"
            ),
            models.Index(fields=["give_up_at"], condition=models.Q(state="PENDING"), name="webhook_deliveries_old"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class WebhookAttempt(models.Model):
    """One try of a delivery and what came of it: an HTTP status, or an error; the answer's first bytes."""

    pk = models.CompositePrimaryKey("delivery_id", "number")
    delivery = models.ForeignKey(WebhookDelivery, models.PROTECT, related_name="tried", db_index=False)
    number = models.IntegerField()
    started_at = models.DateTimeField()
    milliseconds = models.IntegerField()
    status = models.IntegerField(null=True)
    error = models.CharField(max_length=200, blank=True)
    answer = models.CharField(max_length=1000, blank=True)

    class Meta:
        db_table = "webhook_attempts"

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.number}"
