"""Limits of wallets, what counts towards them, and adjustments by two people."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP FUNCTION payments_check_adjustment() CASCADE;
DROP TRIGGER wallet_spending_no_delete ON wallet_spending;
DROP TRIGGER wallet_limits_no_delete ON wallet_limits;
DROP FUNCTION wallet_spending_check() CASCADE;
DROP FUNCTION wallet_limits_check() CASCADE;
DROP FUNCTION payments_adjustment_approved(text, uuid, text, bigint, uuid, uuid);
DROP FUNCTION payments_limits_approved(uuid, bigint, bigint);
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0007_validate"), ("wallets", "0002_rules"), ("ledger", "0002_rules")]

    operations = [
        migrations.CreateModel(
            name="WalletLimits",
            fields=[
                ("wallet", models.OneToOneField(db_column="wallet_id", on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name="limits", serialize=False, to="wallets.wallet")),
                ("per_payment", models.BigIntegerField(null=True)),
                ("per_day", models.BigIntegerField(null=True)),
                ("counted_from", models.DateField(null=True, help_text="The first day that is counted, where there is a limit a day.")),
                ("updated_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "wallet limits",
                "db_table": "wallet_limits",
                "constraints": [
                    models.CheckConstraint(condition=Q(per_payment__gt=0), name="wallet_limits_per_payment"),
                    models.CheckConstraint(condition=Q(per_day__gt=0), name="wallet_limits_per_day"),
                    models.CheckConstraint(
                        condition=Q(per_day__isnull=True, counted_from__isnull=True) | Q(per_day__isnull=False, counted_from__isnull=False),
                        name="wallet_limits_counted",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WalletSpending",
            fields=[
                ("pk", models.CompositePrimaryKey("wallet_id", "day", blank=True, editable=False, primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("spent", models.BigIntegerField()),
                ("wallet", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="spending", to="wallets.wallet")),
            ],
            options={
                "db_table": "wallet_spending",
                "constraints": [models.CheckConstraint(condition=Q(spent__gte=0), name="wallet_spending_spent")],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
