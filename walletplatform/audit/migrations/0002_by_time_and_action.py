"""Read the audit trail of a time, or of one kind of act."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("audit", "0001_initial")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["at", "id"], name="audit_entries_at")),
        AddIndexConcurrently("auditentry", models.Index(fields=["action", "at", "id"], name="audit_entries_action")),
    ]
