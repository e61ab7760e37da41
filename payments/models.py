"""
Payments: every request to move or reserve money, and where each one stands.

CREATED -> AUTHORIZED -> SETTLED, FAILED, VOIDED or EXPIRED. A one-step payment passes through them in
one database transaction and is seen as SETTLED or FAILED. A payment that settles posts the
transaction of the same id; an authorization never does, its captures do. What is asked about a payment
is a payment too, its child. Writing goes through ``payments.engine``.
"""

from django.db import models
from django.db.models import Q

from ledger.models import Account, Asset
from wallets.models import Wallet


class Payment(models.Model):
    class Kind(models.TextChoices):
        TRANSFER = "transfer", "Transfer"
        TOPUP = "topup", "Top-up"
        BONUS = "bonus", "Bonus"
        SPEND = "spend", "Spend"
        AUTHORIZATION = "authorization", "Authorization"
        CAPTURE = "capture", "Capture"
        REFUND = "refund", "Refund"
        DEPOSIT = "deposit", "Deposit"
        PAYOUT = "payout", "Payout"
        FX = "fx", "Foreign exchange"
        ADJUSTMENT = "adjustment", "Adjustment"
        REVERSAL = "reversal", "Reversal"
        VOID = "void", "Void (declined)"
        EXTENSION = "extension", "Extension (declined)"
        REVIEW = "review", "Review (declined)"

    class Status(models.TextChoices):
        CREATED = "CREATED", "Created"
        AUTHORIZED = "AUTHORIZED", "Authorized"
        SETTLED = "SETTLED", "Settled"
        FAILED = "FAILED", "Failed"
        VOIDED = "VOIDED", "Voided"
        EXPIRED = "EXPIRED", "Expired"

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=13, choices=Kind)
    status = models.CharField(max_length=10, choices=Status)
    asset = models.ForeignKey(Asset, models.PROTECT, db_column="asset", db_index=False, db_constraint=False)
    amount = models.BigIntegerField()
    sender = models.ForeignKey(
        Account, models.PROTECT, related_name="payments_sent", db_index=False, db_constraint=False
    )
    receiver = models.ForeignKey(Account, models.PROTECT, related_name="payments_received", db_index=False)
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="children", db_index=False)
    principal_id = models.UUIDField(help_text="The client or user who asked for it.")
    idempotency_key = models.CharField(max_length=255)
    request_id = models.CharField(max_length=128)
    description = models.CharField(max_length=200, blank=True)
    metadata = models.JSONField()
    created_at = models.DateTimeField()
    effective_at = models.DateTimeField()
    authorized_amount = models.BigIntegerField(null=True, help_text="Of a hold: what it is for, by now.")
    captured_amount = models.BigIntegerField(db_default=0, help_text="Of a hold: what went to the receiver.")
    refunded_amount = models.BigIntegerField(db_default=0, help_text="What was given back of it.")
    expires_at = models.DateTimeField(null=True, help_text="Of a hold: when it ends by itself.")

    class Meta:
        db_table = "payments"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payments_amount"),
            models.CheckConstraint(
                condition=Q(status__in=["CREATED", "AUTHORIZED", "SETTLED", "FAILED", "VOIDED", "EXPIRED"]),
                name="payments_status",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind__in=[
                        "transfer",
                        "topup",
                        "bonus",
                        "spend",
                        "authorization",
                        "capture",
                        "refund",
                        "deposit",
                        "payout",
                        "fx",
                        "adjustment",
                        "reversal",
                        "void",
                        "extension",
                        "review",
                    ]
                ),
                name="payments_kind",
            ),
        ]
        # Every filter of a list is a prefix of one of these, so that no list scans (payments.listing).
        indexes = [
            models.Index(fields=["sender", "kind", "status", "id"], name="payments_sender"),
            models.Index(fields=["receiver", "kind", "status", "id"], name="payments_receiver"),
            models.Index(fields=["asset", "kind", "status", "id"], name="payments_asset"),
            models.Index(fields=["parent"], condition=Q(parent__isnull=False), name="payments_parent"),
            # The open holds only, for the sweep of those whose time is over.
            models.Index(fields=["expires_at"], condition=Q(status="AUTHORIZED"), name="payments_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class WalletLimits(models.Model):
    """
    What a wallet may pay at most (``payments.limits``), in minor units; NULL is as much as it has.

    Setting or lowering one is free; raising one, or taking it away, only what two people have approved: the database
    keeps to that.
    """

    wallet = models.OneToOneField(
        Wallet, models.PROTECT, primary_key=True, db_column="wallet_id", related_name="limits"
    )
    per_payment = models.BigIntegerField(null=True)
    per_day = models.BigIntegerField(null=True)
    counted_from = models.DateField(null=True, help_text="The first day that is counted, where there is a limit a day.")
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "wallet_limits"
        verbose_name_plural = "wallet limits"
        constraints = [
            models.CheckConstraint(condition=Q(per_payment__gt=0), name="wallet_limits_per_payment"),
            models.CheckConstraint(condition=Q(per_day__gt=0), name="wallet_limits_per_day"),
            models.CheckConstraint(
                condition=Q(per_day__isnull=True, counted_from__isnull=True)
                | Q(per_day__isnull=False, counted_from__isnull=False),
                name="wallet_limits_counted",
            ),
        ]

    def __str__(self) -> str:
        return f"limits of {self.wallet_id}"


class WalletSpending(models.Model):
    """What counted towards a wallet's limit a day: derived from its payments, on days (UTC) that are counted."""

    pk = models.CompositePrimaryKey("wallet_id", "day")
    wallet = models.ForeignKey(Wallet, models.PROTECT, related_name="spending", db_index=False)
    day = models.DateField()
    spent = models.BigIntegerField()

    class Meta:
        db_table = "wallet_spending"
        constraints = [models.CheckConstraint(condition=Q(spent__gte=0), name="wallet_spending_spent")]

    def __str__(self) -> str:
        return f"{self.wallet_id} {self.day}"


class PaymentTransition(models.Model):
    """A legal move of a payment; an empty ``from_status`` is its beginning."""

    pk = models.CompositePrimaryKey("from_status", "to_status")
    from_status = models.CharField(max_length=10)
    to_status = models.CharField(max_length=10)

    class Meta:
        db_table = "payment_transitions"

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} -> {self.to_status}"


class TransactionFailure(models.Model):
    """Why a payment FAILED: the code that its caller got, and whose concern it is."""

    class Category(models.TextChoices):
        CUSTOMER = "customer", "Customer"
        CLIENT = "client", "Client system"
        LIMIT = "limit", "Limit"
        RISK = "risk", "Risk"
        PLATFORM = "platform", "Platform"

    payment = models.OneToOneField(Payment, models.PROTECT, primary_key=True, related_name="failure")
    code = models.CharField(max_length=40)
    category = models.CharField(max_length=8, choices=Category)
    detail = models.CharField(max_length=300)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "transaction_failures"
        indexes = [models.Index(fields=["code", "payment"], name="transaction_failures_code")]

    def __str__(self) -> str:
        return f"{self.code} {self.payment_id}"
