"""Find what was booked later than it happened: an index that plain payments never enter."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0002_rules")]

    operations = [
        AddIndexConcurrently(
            "transaction",
            models.Index(
                fields=["effective_at", "booked_at"],
                condition=Q(effective_at__lt=F("booked_at")),
                name="transactions_backdated",
            ),
        ),
    ]
