"""Let a wallet have an overdraft, and remember each floor for the entries of its time."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP TRIGGER account_floors_append_only ON account_floors;
DROP FUNCTION accounts_check_floor() CASCADE;
DROP FUNCTION ledger_floor_approved(uuid, bigint);
ALTER TABLE accounts DROP CONSTRAINT accounts_offered;
ALTER TABLE accounts ADD CONSTRAINT accounts_offered
    CHECK (CASE WHEN kind = 'wallet' THEN min_available = 0 ELSE open END) NOT VALID;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_backdated")]

    operations = [
        migrations.CreateModel(
            name="Floor",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("since_seq", models.BigIntegerField(help_text="It holds for the entries after this one.")),
                ("min_available", models.BigIntegerField()),
                ("created_at", models.DateTimeField()),
                ("account", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="floors", to="ledger.account")),
            ],
            options={
                "db_table": "account_floors",
                "indexes": [models.Index(fields=["account", "since_seq", "id"], name="account_floors_account")],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
