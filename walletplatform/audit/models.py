"""The audit trail: who did what to what, when, from where and why. Rows are added, never changed."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """
    One act, committed in the act's own transaction. Written by ``walletplatform.audit.trail.record``.

    ``action`` is ``wallet.suspend`` and the like; ``before`` and ``after`` are what it changed of the object, None
    where there was, or is, none. ``at`` is the database's own clock, which no offset moves.
    """

    class Kind(models.TextChoices):
        CLIENT = "client", "Client system"
        USER = "user", "User"
        STAFF = "staff", "Staff"
        COMMAND = "command", "Command or job"

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(db_default=Now(), editable=False)
    actor_kind = models.CharField(max_length=7, choices=Kind)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=64)
    before = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, encoder=DjangoJSONEncoder)
    reason = models.CharField(max_length=1000, blank=True)
    request_id = models.CharField(max_length=128)
    address = models.CharField(max_length=45, blank=True)

    class Meta:
        db_table = "audit_entries"
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(
                condition=Q(actor_kind__in=["client", "user", "staff", "command"]), name="audit_entries_actor_kind"
            ),
        ]
        # The console searches by these, each alone.
        indexes = [
            models.Index(fields=["object_id", "id"], name="audit_entries_object"),
            models.Index(fields=["actor_id", "id"], name="audit_entries_actor"),
            models.Index(fields=["actor_name", "id"], name="audit_entries_actor_name"),
            models.Index(fields=["request_id"], name="audit_entries_request"),
            models.Index(fields=["at", "id"], name="audit_entries_at"),
            models.Index(fields=["action", "at", "id"], name="audit_entries_action"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"
