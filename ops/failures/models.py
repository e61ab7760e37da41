"""What failure analysis reads instead of the ledger: failed payments one by one, and what came of each client's."""

from __future__ import annotations

from uuid import UUID

from django.db import models

# Stands for a client where none asked: end users in their own app, and staff.
PEOPLE = UUID(int=0)


class FailedPayment(models.Model):
    """
    A payment that was declined, with what it is counted by.

    ``wallet_id`` is the sender's wallet, or the receiver's where a system account was to pay; ``client_id`` is
    ``PEOPLE`` where a person asked; ``amount`` is in minor units.
    """

    payment_id = models.UUIDField(primary_key=True)
    failed_at = models.DateTimeField()
    kind = models.CharField(max_length=16)
    asset = models.CharField(max_length=16)
    code = models.CharField(max_length=40)
    category = models.CharField(max_length=8)
    client_id = models.UUIDField()
    wallet_id = models.UUIDField(null=True)
    amount = models.BigIntegerField()

    class Meta:
        db_table = "failure_payments"
        indexes = [
            models.Index(fields=["failed_at"], name="failure_payments_time"),
            models.Index(fields=["code", "failed_at"], name="failure_payments_code"),
            models.Index(fields=["client_id", "failed_at"], name="failure_payments_client"),
            models.Index(fields=["wallet_id", "failed_at"], name="failure_payments_wallet"),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.code}"


class ClientFigure(models.Model):
    """
    How many payments of a client settled and failed in an hour or a day, and how much that was (minor units).

    All that a person asked for counts under ``PEOPLE``.
    """

    class Span(models.TextChoices):
        HOUR = "hour"
        DAY = "day"

    pk = models.CompositePrimaryKey("span", "begins_at", "client_id", "asset", "outcome")
    span = models.CharField(max_length=4, choices=Span)
    begins_at = models.DateTimeField()
    client_id = models.UUIDField()
    asset = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16)
    payments = models.BigIntegerField()
    amount = models.DecimalField(max_digits=40, decimal_places=0)

    class Meta:
        db_table = "failure_clients"

    def __str__(self) -> str:
        return f"{self.span} {self.begins_at} {self.client_id} {self.outcome}"
