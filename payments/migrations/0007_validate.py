"""Hold old payments to the new rules, under a lock that lets payments go on."""

from django.db import migrations

VALIDATE = "ALTER TABLE payments VALIDATE CONSTRAINT {name};"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("payments", "0006_review")]

    operations = [
        migrations.RunSQL(VALIDATE.format(name=name), migrations.RunSQL.noop)
        for name in ("payments_kind", "payments_child")
    ]
