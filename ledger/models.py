"""
The double-entry ledger: assets, accounts, and the immutable entries that move balances.

A debit lowers an account's balance and a credit raises it, for every account alike, so all balances
of an asset add up to 0. Amounts are minor units (``bigint``); ``Asset.scale`` says how many decimals
a person sees. PostgreSQL itself enforces the rules (``migrations/0002_rules.sql``), so that no code
path, script or psql session can bend them. Mistakes are corrected by new transactions.

Writing goes through ``ledger.posting``; everything else only reads.
"""

from django.db import models
from django.db.models import F, Q


class Asset(models.Model):
    """Something that can be owned in amounts: a currency, a game's credits, loyalty points."""

    class Kind(models.TextChoices):
        FIAT = "fiat", "Fiat currency"
        CREDIT = "credit", "Credits"
        LOYALTY = "loyalty", "Loyalty points"

    code = models.CharField(primary_key=True, max_length=16)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, choices=Kind)
    scale = models.SmallIntegerField(help_text="Decimals of the unit: JPY 0, USD 2, KWD 3.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "assets"
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[A-Z][A-Z0-9_]{1,15}$"), name="assets_code"),
            models.CheckConstraint(condition=Q(scale__range=(0, 8)), name="assets_scale"),
            models.CheckConstraint(condition=Q(kind__in=["fiat", "credit", "loyalty"]), name="assets_kind"),
        ]

    def __str__(self) -> str:
        return self.code


class Account(models.Model):
    """
    A place where an amount of one asset can be: a wallet, or one of the asset's system accounts.

    ``held`` is reserved by authorizations; ``balance - held`` is available and never below
    ``min_available`` (negative: an overdraft; NULL: unbounded, for system accounts only).
    ``seq`` numbers the entries without a gap; ``booked_at`` is the moment of the latest one.
    """

    class Kind(models.TextChoices):
        WALLET = "wallet", "Wallet"
        TREASURY = "treasury", "Treasury"
        BONUS = "bonus", "Bonus"
        REVENUE = "revenue", "Revenue"
        FEES = "fees", "Fees"
        FX = "fx", "Foreign exchange"
        SUSPENSE = "suspense", "Suspense"
        SETTLEMENT = "settlement", "Settlement"

    id = models.UUIDField(primary_key=True)
    asset = models.ForeignKey(Asset, models.PROTECT, db_column="asset", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    min_available = models.BigIntegerField(null=True)
    seq = models.BigIntegerField(default=0)
    open = models.BooleanField(help_text="Whether money may move: a wallet's is open while ACTIVE.")
    booked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "accounts"
        constraints = [
            models.CheckConstraint(
                condition=Q(min_available__isnull=True) | Q(balance__gte=F("held") + F("min_available")),
                name="accounts_funds",
            ),
            models.CheckConstraint(condition=Q(held__gte=0), name="accounts_held"),
            models.CheckConstraint(condition=Q(seq__gte=0), name="accounts_seq"),
            models.CheckConstraint(
                condition=Q(kind="wallet", min_available__isnull=False)
                | Q(kind__in=["treasury", "bonus", "revenue", "fees", "fx", "suspense", "settlement"]),
                name="accounts_kind",
            ),
            # What refers to an account and names its asset refers to both.
            models.UniqueConstraint(fields=["id", "asset"], name="accounts_id_asset"),
            models.UniqueConstraint(fields=["asset", "kind"], condition=~Q(kind="wallet"), name="accounts_system"),
        ]

    def __str__(self) -> str:
        if self.kind == self.Kind.WALLET:
            return f"{self.asset_id} wallet {self.id}"
        return f"{self.asset_id} {self.kind}"


class Floor(models.Model):
    """
    What an account's ``min_available`` became, and after which of its entries.

    History is held to the floor of its time. A trigger writes it with the change, and nobody else can.
    """

    id = models.BigAutoField(primary_key=True)
    account = models.ForeignKey(Account, models.PROTECT, related_name="floors", db_index=False)
    since_seq = models.BigIntegerField(help_text="It holds for the entries after this one.")
    min_available = models.BigIntegerField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "account_floors"
        indexes = [models.Index(fields=["account", "since_seq", "id"], name="account_floors_account")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.min_available}"


class Transaction(models.Model):
    """A posted fact, never changed. It has the id of the payment that it posts."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=16)
    entry_count = models.SmallIntegerField()
    booked_at = models.DateTimeField(help_text="By the database's clock; never falls per account.")
    effective_at = models.DateTimeField(help_text="When it happened in the world.")

    class Meta:
        db_table = "transactions"
        constraints = [
            models.CheckConstraint(condition=Q(entry_count__gte=2), name="transactions_entry_count"),
            models.CheckConstraint(condition=Q(effective_at__lte=F("booked_at")), name="transactions_effective_at"),
            models.UniqueConstraint(fields=["id", "entry_count"], name="transactions_id_entry_count"),
        ]
        # Only what was booked later than it happened: ledger.effective.
        indexes = [
            models.Index(
                fields=["effective_at", "booked_at"],
                condition=Q(effective_at__lt=F("booked_at")),
                name="transactions_backdated",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Entry(models.Model):
    """
    One side of a transaction: a debit or a credit of a positive amount on one account.

    ``leg`` counts from 1 to the transaction's ``entry_count``; with the foreign key over both columns
    this leaves no room for a further entry in a transaction that is complete.
    """

    class Direction(models.TextChoices):
        DEBIT = "DEBIT", "Debit"
        CREDIT = "CREDIT", "Credit"

    id = models.UUIDField(primary_key=True)
    transaction = models.ForeignKey(
        Transaction, models.PROTECT, related_name="entries", db_index=False, db_constraint=False
    )
    entry_count = models.SmallIntegerField()
    leg = models.SmallIntegerField()
    account = models.ForeignKey(Account, models.PROTECT, related_name="entries", db_index=False)
    direction = models.CharField(max_length=6, choices=Direction)
    amount = models.BigIntegerField()
    seq = models.BigIntegerField()
    balance_after = models.BigIntegerField()

    class Meta:
        db_table = "ledger_entries"
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_entries_amount"),
            models.CheckConstraint(condition=Q(direction__in=["DEBIT", "CREDIT"]), name="ledger_entries_direction"),
            models.CheckConstraint(condition=Q(leg__gte=1, leg__lte=F("entry_count")), name="ledger_entries_leg"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="ledger_entries_seq"),
            models.UniqueConstraint(fields=["transaction", "leg"], name="ledger_entries_transaction_leg"),
            models.UniqueConstraint(fields=["account", "seq"], name="ledger_entries_account_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} leg {self.leg}"

    @property
    def balance_before(self) -> int:
        signed = self.amount if self.direction == self.Direction.CREDIT else -self.amount
        return self.balance_after - signed


class IdempotencyKey(models.Model):
    """
    The outcome of a request, kept for ever under the key that its principal chose.

    Stored in the database transaction of the effect. ``body`` holds the very bytes of the answer;
    ``fingerprint`` is the SHA-256 of method, path and canonical body (``walletplatform.api.idempotency``).
    """

    # The key leads, so that a person who knows only the key finds it by the same index.
    pk = models.CompositePrimaryKey("key", "principal_id")
    key = models.CharField(max_length=255)
    principal_id = models.UUIDField()
    fingerprint = models.BinaryField()
    status = models.SmallIntegerField()
    body = models.BinaryField()
    resource_id = models.UUIDField(help_text="The payment or wallet that the request made.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "idempotency_keys"

    def __str__(self) -> str:
        return self.key


class Clock(models.Model):
    """
    The one row that shifts the platform's clock, for demo data and tests; 0 in earnest.

    ``ledger_now()`` adds it to the time. Only the owner may change it.
    """

    id = models.SmallIntegerField(primary_key=True)
    shift = models.DurationField()

    class Meta:
        db_table = "ledger_clock"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="ledger_clock_one_row")]

    def __str__(self) -> str:
        return str(self.shift)
