"""Read models: what the console, alerts and summaries read instead of the ledger. Consumers of the log build them."""

from __future__ import annotations

from django.db import models

from ops.alerts.models import Alert, AlertConfiguration, AlertStep, Notification, NotifiedAlert
from ops.alerts.read_models import AlertSample, LatestPayment, RepeatedPayment, RequestTrouble
from ops.approvals.models import Approval
from ops.console.models import SavedView
from ops.failures.models import ClientFigure, FailedPayment
from ops.jobs.models import Job
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.statements.models import (
    MatchedEntry,
    MatchedLine,
    Statement,
    StatementException,
    StatementLine,
    StatementMatch,
    StatementSource,
    StatementUpload,
)
from ops.summaries.models import ModelCall, Summary

__all__ = [
    "Alert",
    "AlertConfiguration",
    "AlertSample",
    "AlertStep",
    "Approval",
    "ClientFigure",
    "FailedPayment",
    "Finding",
    "Job",
    "LatestPayment",
    "MatchedEntry",
    "MatchedLine",
    "ModelCall",
    "Notification",
    "NotifiedAlert",
    "OpenHold",
    "PaymentFigure",
    "ReconciliationRun",
    "RepeatedPayment",
    "RequestTrouble",
    "SavedView",
    "SettlementTotal",
    "Statement",
    "StatementException",
    "StatementLine",
    "StatementMatch",
    "StatementSource",
    "StatementUpload",
    "Summary",
]


class PaymentFigure(models.Model):
    """
    How often payments came to something in a minute, an hour or a day, and how much that was of.

    ``outcome`` is the last part of the event's type (settled, failed, ...), ``code`` why they failed; ``payments``
    counts the events. ``amount``, in minor units, is told once for each payment: settled, what it moved; failed,
    what it should have moved; voided and expired, what was held last. Authorized, captured and refunded may
    come again and again to the same payment and add nothing: what was captured and given back is in the
    captures and refunds (``kind``) that settled.
    """

    class Span(models.TextChoices):
        MINUTE = "minute"
        HOUR = "hour"
        DAY = "day"

    pk = models.CompositePrimaryKey("span", "begins_at", "kind", "asset", "outcome", "code")
    span = models.CharField(max_length=6, choices=Span)
    begins_at = models.DateTimeField()
    kind = models.CharField(max_length=16)
    asset = models.CharField(max_length=16)
    outcome = models.CharField(max_length=16)
    code = models.CharField(max_length=40, blank=True)
    payments = models.BigIntegerField()
    amount = models.DecimalField(max_digits=40, decimal_places=0)

    class Meta:
        db_table = "payment_figures"

    def __str__(self) -> str:
        return f"{self.span} {self.begins_at} {self.kind} {self.outcome}"


class SettlementTotal(models.Model):
    """What a day's settled payments took from and gave to an account (a counterparty), in minor units."""

    pk = models.CompositePrimaryKey("day", "account_id")
    day = models.DateField()
    account_id = models.UUIDField()
    account_kind = models.CharField(max_length=16)
    asset = models.CharField(max_length=16)
    entries = models.BigIntegerField()
    debits = models.DecimalField(max_digits=40, decimal_places=0)
    credits = models.DecimalField(max_digits=40, decimal_places=0)

    class Meta:
        db_table = "settlement_totals"
        indexes = [
            models.Index(fields=["day", "asset", "-debits"], name="settlement_payers"),
            models.Index(fields=["day", "asset", "-credits"], name="settlement_payees"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.account_id}"


class OpenHold(models.Model):
    """An authorization that is neither captured in full, nor voided, nor expired: what it still holds."""

    payment_id = models.UUIDField(primary_key=True)
    asset = models.CharField(max_length=16)
    sender_wallet_id = models.UUIDField()
    held = models.BigIntegerField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "open_holds"
        indexes = [
            models.Index(fields=["asset", "created_at"], name="open_holds_age"),
            models.Index(fields=["expires_at"], name="open_holds_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} holds {self.held}"
