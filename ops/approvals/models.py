"""What one person asks for and another decides about, as it was asked for and what came of it."""

from __future__ import annotations

import hashlib

import orjson
from django.db import models
from django.db.models import Q, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce


class Approval(models.Model):
    """
    PENDING -> APPROVED -> EXECUTED or FAILED; PENDING -> REJECTED, CANCELLED or EXPIRED.

    ``payload`` is what the action does, with amounts as decimal texts; ``expected`` is the target's state at the
    proposal. Neither they nor anything else that was asked for ever changes, the checker is never the maker, and an
    action is asked for once at a time on a target: the database keeps all of it (``migrations/0003_approvals.sql``).
    """

    class State(models.TextChoices):
        PENDING = "PENDING", "Pending"
        APPROVED = "APPROVED", "Approved"
        EXECUTED = "EXECUTED", "Executed"
        REJECTED = "REJECTED", "Rejected"
        CANCELLED = "CANCELLED", "Cancelled"
        EXPIRED = "EXPIRED", "Expired"
        FAILED = "FAILED", "Failed"

    OPEN = (State.PENDING, State.APPROVED)

    id = models.UUIDField(primary_key=True)
    action = models.CharField(max_length=20)
    target_type = models.CharField(max_length=16)
    target_id = models.UUIDField()
    payload = models.JSONField()
    expected = models.JSONField()
    amount_minor = models.BigIntegerField(null=True)
    asset = models.CharField(max_length=16, blank=True)
    payload_sha256 = models.CharField(max_length=64)
    reason = models.CharField(max_length=200)
    maker_kind = models.CharField(max_length=6, db_default="staff", help_text="staff, or client: through the API.")
    maker_id = models.UUIDField()
    maker_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State, default=State.PENDING)
    decided_by = models.UUIDField(null=True)
    decided_by_name = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=1000, blank=True)
    executed_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)

    class Meta:
        db_table = "approvals"
        permissions = [
            ("propose_approval", "Can propose what needs a second person"),
            ("propose_adjustment", "Can propose adjustments and overdrafts"),
            ("decide_approval", "Can approve and reject what others propose"),
            ("suspend_wallet", "Can suspend a wallet at once"),
            ("operate_wallet", "Can activate, close and limit wallets"),
            ("operate_payment", "Can capture, void and release payments, and refund small ones"),
            ("grant_role", "Can propose roles for people, and decide about what others propose"),
        ]
        constraints = [
            models.UniqueConstraint(
                "action",
                "target_id",
                Coalesce(KT("payload__reference"), Value("")),
                condition=Q(state__in=["PENDING", "APPROVED"]),
                name="approvals_one_open",
            ),
        ]
        indexes = [
            models.Index(fields=["target_id", "id"], name="approvals_target"),
            models.Index(fields=["maker_id", "id"], name="approvals_maker"),
            models.Index(fields=["state", "expires_at"], name="approvals_state"),
        ]

    def __str__(self) -> str:
        return f"{self.action.replace('.', ' ').replace('_', ' ').capitalize()} (…{str(self.target_id)[-8:]})"

    def digest(self) -> str:
        """Return the SHA-256, in hex, of all that its execution depends on."""
        asked = {
            "action": self.action,
            "target": [self.target_type, str(self.target_id)],
            "payload": self.payload,
            "expected": self.expected,
            "amount": [self.amount_minor, self.asset],
        }
        return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).hexdigest()
