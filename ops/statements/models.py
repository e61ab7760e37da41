"""
What banks and providers say moved, and what of it the ledger knows.

An account that stands for the outside (treasury, settlement) holds minus what is there, because all balances of an
asset add up to 0: money that came in outside (CREDIT) is a DEBIT of the account, and money that went out a CREDIT.
Amounts are minor units of the source's asset.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ledger.models import Account, Asset
from ops.approvals.models import Approval

MIRRORS = ("treasury", "settlement")


class Direction(models.TextChoices):
    """As the bank says it: what came in, and what went out."""

    CREDIT = "CREDIT", "In"
    DEBIT = "DEBIT", "Out"


class StatementSource(models.Model):
    """
    An account outside, whose statements are compared with the system account that mirrors it.

    ``mapping`` says how its CSV files are read (``ops.statements.mapping``). A pair may differ by ``tolerance`` and
    by ``window_days``; what has no counterpart after ``patience_days`` is an exception.
    """

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        CAMT = "camt.053", "camt.053"

    id = models.UUIDField(primary_key=True)
    name = models.CharField(max_length=40, unique=True)
    asset = models.ForeignKey(Asset, models.PROTECT, db_column="asset", db_index=False, db_constraint=False)
    account = models.OneToOneField(Account, models.PROTECT, related_name="+", db_constraint=False)
    format = models.CharField(max_length=8, choices=Format)
    mapping = models.JSONField(default=dict, blank=True)
    identifier = models.CharField(
        max_length=34, blank=True, help_text="The account's IBAN or number: a camt.053 file of another is refused."
    )
    tolerance = models.BigIntegerField(default=0, help_text="Minor units by which a pair may differ.")
    window_days = models.SmallIntegerField(default=3, help_text="Days by which a pair may differ.")
    patience_days = models.SmallIntegerField(default=2, help_text="Days before what has no counterpart is told.")
    created_at = models.DateTimeField()

    class Meta:
        db_table = "statement_sources"
        constraints = [
            models.CheckConstraint(condition=Q(format__in=["csv", "camt.053"]), name="statement_sources_format"),
            models.CheckConstraint(
                condition=Q(tolerance__gte=0, window_days__range=(0, 31), patience_days__range=(0, 60)),
                name="statement_sources_bounds",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Statement(models.Model):
    """A statement as it was imported. Nothing of it changes but how many of its lines are ``matched``."""

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey(StatementSource, models.PROTECT, related_name="statements")
    number = models.CharField(max_length=80, help_text="The bank's, or the file's name.")
    file_name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, help_text="Of the file.")
    part = models.SmallIntegerField(default=0, help_text="Which of the file's statements it is.")
    begins_on = models.DateField()
    ends_on = models.DateField()
    opening = models.BigIntegerField(null=True)
    closing = models.BigIntegerField(null=True)
    credits = models.DecimalField(max_digits=24, decimal_places=0)
    debits = models.DecimalField(max_digits=24, decimal_places=0)
    line_count = models.IntegerField()
    matched = models.IntegerField(default=0)
    imported_by = models.CharField(max_length=150)
    imported_at = models.DateTimeField()

    class Meta:
        db_table = "statements"
        permissions = [("import_statement", "Can import statements and keep their sources")]
        constraints = [
            models.UniqueConstraint(fields=["source", "number"], name="statements_number"),
            models.UniqueConstraint(fields=["sha256", "part"], name="statements_file"),
            models.CheckConstraint(condition=Q(begins_on__lte=models.F("ends_on")), name="statements_days"),
            models.CheckConstraint(
                condition=Q(matched__gte=0, matched__lte=models.F("line_count")), name="statements_matched"
            ),
        ]
        indexes = [models.Index(fields=["source", "ends_on"], name="statements_ends")]

    def __str__(self) -> str:
        return self.number


class StatementLine(models.Model):
    """
    One movement outside. ``bank_reference`` is the bank's own name for it, unique within a source.

    ``reference`` is what it was given by whoever moved the money, and what it is matched by.
    """

    id = models.UUIDField(primary_key=True)
    statement = models.ForeignKey(Statement, models.PROTECT, related_name="lines", db_index=False)
    source = models.ForeignKey(StatementSource, models.PROTECT, related_name="+", db_index=False)
    number = models.IntegerField(help_text="Its place in the statement.")
    booked_on = models.DateField()
    direction = models.CharField(max_length=6, choices=Direction)
    amount = models.BigIntegerField()
    reference = models.CharField(max_length=140, blank=True)
    bank_reference = models.CharField(max_length=140, blank=True)
    counterparty = models.CharField(max_length=140, blank=True)
    text = models.CharField(max_length=500, blank=True)
    is_reversal = models.BooleanField(default=False)
    open = models.BooleanField(default=True, help_text="Neither matched nor explained.")

    class Meta:
        db_table = "statement_lines"
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="statement_lines_amount"),
            models.CheckConstraint(condition=Q(direction__in=["CREDIT", "DEBIT"]), name="statement_lines_direction"),
            models.UniqueConstraint(fields=["statement", "number"], name="statement_lines_number"),
            models.UniqueConstraint(
                fields=["source", "bank_reference"], condition=~Q(bank_reference=""), name="statement_lines_bank"
            ),
        ]
        indexes = [
            models.Index(fields=["source", "booked_on"], condition=Q(open=True), name="statement_lines_open"),
            models.Index(fields=["reference"], condition=~Q(reference=""), name="statement_lines_reference"),
        ]

    def __str__(self) -> str:
        return f"line {self.number}"


class StatementMatch(models.Model):
    """
    Lines and entries that are the same movement, by which rule, and how sure that is (percent).

    ``difference`` is what the lines have more than the entries. Made once and never changed.
    """

    class Rule(models.TextChoices):
        REFERENCE = "reference", "Reference and amount"
        REFERENCE_NEAR = "reference_near", "Reference, amount within the tolerance"
        AMOUNT = "amount", "Amount and day"
        AMOUNT_NEAR = "amount_near", "Amount within the tolerance"
        SEVERAL_ENTRIES = "several_entries", "One line, several entries"
        SEVERAL_LINES = "several_lines", "Several lines, one entry"
        CORRECTION = "correction", "Corrected by an entry"

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey(StatementSource, models.PROTECT, related_name="matches")
    rule = models.CharField(max_length=16, choices=Rule)
    confidence = models.SmallIntegerField()
    reason = models.CharField(max_length=200)
    difference = models.BigIntegerField()
    made_at = models.DateTimeField()

    class Meta:
        db_table = "statement_matches"
        verbose_name_plural = "statement matches"
        constraints = [
            models.CheckConstraint(condition=Q(confidence__range=(1, 100)), name="statement_matches_confidence"),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.id}"


class MatchedLine(models.Model):
    """A line's match: it has one at most."""

    line = models.OneToOneField(StatementLine, models.PROTECT, primary_key=True, related_name="matched")
    match = models.ForeignKey(StatementMatch, models.PROTECT, related_name="lines")

    class Meta:
        db_table = "statement_match_lines"

    def __str__(self) -> str:
        return f"line {self.line_id}"


class MatchedEntry(models.Model):
    """A ledger entry's match: it has one at most, whichever the source."""

    entry_id = models.UUIDField(primary_key=True)
    match = models.ForeignKey(StatementMatch, models.PROTECT, related_name="entries")

    class Meta:
        db_table = "statement_match_entries"

    def __str__(self) -> str:
        return f"entry {self.entry_id}"


class StatementException(models.Model):
    """
    What has no counterpart, or another one than it should: for a person to look after.

    OPEN -> MATCHED (by a later run), EXPLAINED, or CORRECTING -> CORRECTED; a correction that is not made leads back
    to OPEN. ``amount`` and ``direction`` are as outside; ``expected`` is the ledger's amount where that differs.
    """

    class Reason(models.TextChoices):
        MISSING_IN_LEDGER = "missing_in_ledger", "Missing in the ledger"
        MISSING_OUTSIDE = "missing_outside", "Missing outside"
        AMOUNT_DIFFERS = "amount_differs", "Amounts differ"
        DUPLICATE_OUTSIDE = "duplicate_outside", "Twice outside"

    class State(models.TextChoices):
        OPEN = "OPEN", "Open"
        CORRECTING = "CORRECTING", "Correction proposed"
        MATCHED = "MATCHED", "Matched"
        EXPLAINED = "EXPLAINED", "Explained"
        CORRECTED = "CORRECTED", "Corrected"

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey(StatementSource, models.PROTECT, related_name="exceptions", db_index=False)
    reason = models.CharField(max_length=17, choices=Reason)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    line = models.OneToOneField(StatementLine, models.PROTECT, null=True, related_name="exception")
    entry_id = models.UUIDField(null=True, help_text="The ledger's entry.")
    booked_on = models.DateField(help_text="Of the line, else of the entry.")
    direction = models.CharField(max_length=6, choices=Direction)
    amount = models.BigIntegerField()
    expected = models.BigIntegerField(null=True)
    owner = models.CharField(max_length=150, blank=True, help_text="Who looks after it.")
    note = models.CharField(max_length=1000, blank=True)
    approval = models.ForeignKey(Approval, models.PROTECT, null=True, related_name="+", db_constraint=False)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "statement_exceptions"
        constraints = [
            models.UniqueConstraint(
                fields=["entry_id"], condition=Q(line__isnull=True), name="statement_exceptions_entry"
            ),
            models.CheckConstraint(
                condition=Q(line__isnull=False) | Q(entry_id__isnull=False), name="statement_exceptions_about"
            ),
            models.CheckConstraint(
                condition=Q(reason="missing_outside", line__isnull=True)
                | Q(reason__in=["missing_in_ledger", "amount_differs", "duplicate_outside"], line__isnull=False),
                name="statement_exceptions_reason",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["OPEN", "CORRECTING"], closed_at__isnull=True)
                | Q(state__in=["MATCHED", "EXPLAINED", "CORRECTED"], closed_at__isnull=False),
                name="statement_exceptions_state",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["CORRECTING", "CORRECTED"]) | Q(approval__isnull=False),
                name="statement_exceptions_approval",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "id"], name="statement_exceptions_state_id"),
            models.Index(fields=["source", "state"], name="statement_exceptions_source"),
            models.Index(fields=["entry_id"], name="statement_exceptions_of"),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()} {self.id}"


class StatementUpload(models.Model):
    """A file between its preview and its import; it goes with the import, or after a day."""

    id = models.UUIDField(primary_key=True)
    source = models.ForeignKey(StatementSource, models.CASCADE, related_name="+")
    user_id = models.UUIDField()
    file_name = models.CharField(max_length=200)
    content = models.BinaryField()
    uploaded_at = models.DateTimeField()

    class Meta:
        db_table = "statement_uploads"

    def __str__(self) -> str:
        return self.file_name
