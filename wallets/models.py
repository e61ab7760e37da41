"""
Wallets: accounts with an owner and a lifecycle. A wallet shares its id with its account.

CREATED -> ACTIVE <-> SUSPENDED -> CLOSED; only an ACTIVE wallet's account is open, so only it moves
money. The moves are rows of ``wallet_transitions``, and triggers keep to them
(``migrations/0002_rules.sql``). Users are plain UUIDs: they may live in another system.
"""

from django.db import models
from django.db.models import Q

from ledger.models import Account, Asset


class Wallet(models.Model):
    class Status(models.TextChoices):
        CREATED = "CREATED", "Created"
        ACTIVE = "ACTIVE", "Active"
        SUSPENDED = "SUSPENDED", "Suspended"
        CLOSED = "CLOSED", "Closed"

    account = models.OneToOneField(
        Account, models.PROTECT, primary_key=True, db_column="id", db_constraint=False, related_name="wallet"
    )
    user_id = models.UUIDField()
    asset = models.ForeignKey(Asset, models.PROTECT, db_column="asset", db_index=False, db_constraint=False)
    label = models.CharField(max_length=80, blank=True)
    metadata = models.JSONField()
    status = models.CharField(max_length=9, choices=Status)
    version = models.IntegerField(help_text="Counts changes of the wallet itself; the ETag.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "wallets"
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["CREATED", "ACTIVE", "SUSPENDED", "CLOSED"]), name="wallets_status"
            ),
        ]
        indexes = [
            models.Index(fields=["user_id", "account"], name="wallets_user"),
            models.Index(fields=["asset", "status", "account"], name="wallets_asset_status"),
        ]

    def __str__(self) -> str:
        return f"{self.asset_id} wallet {self.pk}"


class WalletTransition(models.Model):
    """A legal move of a wallet; an empty ``from_status`` is its beginning."""

    pk = models.CompositePrimaryKey("from_status", "to_status")
    from_status = models.CharField(max_length=9)
    to_status = models.CharField(max_length=9)

    class Meta:
        db_table = "wallet_transitions"

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} -> {self.to_status}"
