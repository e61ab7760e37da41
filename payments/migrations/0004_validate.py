"""Hold old payments to the new rules, under a lock that lets payments go on; index what will expire."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q

VALIDATE = "ALTER TABLE payments VALIDATE CONSTRAINT {name};"
NAMES = ["payments_kind", "payments_hold", "payments_refunded", "payments_child"]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0003_two_phase")]

    operations = [
        *(migrations.RunSQL(VALIDATE.format(name=name), migrations.RunSQL.noop) for name in NAMES),
        AddIndexConcurrently(
            "payment", models.Index(fields=["expires_at"], condition=Q(status="AUTHORIZED"), name="payments_expiry")
        ),
    ]
