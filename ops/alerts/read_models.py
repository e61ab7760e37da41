"""What alert rules read and nothing else keeps: values as they were measured, failed requests, repeated payments."""

from __future__ import annotations

from django.db import models

from ops.alerts.models import AlertConfiguration


class AlertSample(models.Model):
    """What a rule found at an evaluation, about one of its subjects. Kept for as long as previews look back."""

    pk = models.CompositePrimaryKey("configuration_id", "subject", "at")
    configuration = models.ForeignKey(AlertConfiguration, models.CASCADE, related_name="+", db_index=False)
    subject = models.CharField(max_length=80, blank=True)
    at = models.DateTimeField()
    value = models.DecimalField(max_digits=28, decimal_places=8)
    volume = models.BigIntegerField()

    class Meta:
        db_table = "alert_samples"
        indexes = [models.Index(fields=["at"], name="alert_samples_at")]

    def __str__(self) -> str:
        return f"{self.subject} {self.at}"


class RequestTrouble(models.Model):
    """How many requests of a minute were answered with a code that means trouble."""

    pk = models.CompositePrimaryKey("begins_at", "code")
    begins_at = models.DateTimeField()
    code = models.CharField(max_length=40)
    requests = models.BigIntegerField()

    class Meta:
        db_table = "request_troubles"

    def __str__(self) -> str:
        return f"{self.code} {self.begins_at}"


class LatestPayment(models.Model):
    """The latest settled payment of a kind between two wallets of an amount; without a wallet: its id is 0."""

    pk = models.CompositePrimaryKey("sender_wallet_id", "receiver_wallet_id", "kind", "amount")
    sender_wallet_id = models.UUIDField()
    receiver_wallet_id = models.UUIDField()
    kind = models.CharField(max_length=16)
    amount = models.BigIntegerField()
    payment_id = models.UUIDField()
    at = models.DateTimeField()

    class Meta:
        db_table = "latest_payments"
        indexes = [models.Index(fields=["at"], name="latest_payments_at")]

    def __str__(self) -> str:
        return str(self.payment_id)


class RepeatedPayment(models.Model):
    """A payment of the same kind, wallets and amount as one shortly before it."""

    payment_id = models.UUIDField(primary_key=True)
    earlier_id = models.UUIDField()
    asset = models.CharField(max_length=16)
    at = models.DateTimeField()

    class Meta:
        db_table = "repeated_payments"
        indexes = [models.Index(fields=["at"], name="repeated_payments_at")]

    def __str__(self) -> str:
        return str(self.payment_id)
