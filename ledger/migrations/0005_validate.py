"""Hold the accounts there are to the new rule, under a lock that lets payments go on."""

from django.db import migrations


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("ledger", "0004_floors")]

    operations = [
        migrations.RunSQL("ALTER TABLE accounts VALIDATE CONSTRAINT accounts_offered;", migrations.RunSQL.noop)
    ]
