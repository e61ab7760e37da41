"""What a person keeps of the console: filters by name."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models.functions import Now


class SavedView(models.Model):
    """A list's filters (``query``, as in its address, without a page's key) under a name, for one person."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner_id = models.UUIDField()
    page = models.CharField(max_length=80, help_text="The list: payments_payment.")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        db_table = "saved_views"
        constraints = [models.UniqueConstraint(fields=["owner_id", "page", "name"], name="saved_views_name")]
        permissions = [("export_list", "Can export lists")]
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
