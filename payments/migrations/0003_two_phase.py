"""Authorizations that are captured, voided or expire, and payments that are given back."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

FORWARD = Path(__file__).with_suffix(".sql").read_text()

REVERSE = """
ALTER TABLE payments DROP CONSTRAINT payments_child, DROP CONSTRAINT payments_refunded,
    DROP CONSTRAINT payments_hold, DROP CONSTRAINT payments_kind;
ALTER TABLE payments ADD CONSTRAINT payments_kind CHECK (kind IN (
    'transfer', 'topup', 'bonus', 'spend', 'authorization', 'capture', 'refund', 'deposit', 'payout', 'fx',
    'adjustment', 'reversal')) NOT VALID;
ALTER TABLE payments DROP COLUMN expires_at, DROP COLUMN refunded_amount, DROP COLUMN captured_amount,
    DROP COLUMN authorized_amount;
"""

KINDS = {
    "transfer": "Transfer", "topup": "Top-up", "bonus": "Bonus", "spend": "Spend",
    "authorization": "Authorization", "capture": "Capture", "refund": "Refund", "deposit": "Deposit",
    "payout": "Payout", "fx": "Foreign exchange", "adjustment": "Adjustment", "reversal": "Reversal",
    "void": "Void (declined)", "extension": "Extension (declined)",
}  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_rules")]

    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[
                migrations.AddField("payment", "authorized_amount", models.BigIntegerField(
                    null=True, help_text="Of a hold: what it is for, by now.")),
                migrations.AddField("payment", "captured_amount", models.BigIntegerField(
                    db_default=0, help_text="Of a hold: what went to the receiver.")),
                migrations.AddField("payment", "refunded_amount", models.BigIntegerField(
                    db_default=0, help_text="What was given back of it.")),
                migrations.AddField("payment", "expires_at", models.DateTimeField(
                    null=True, help_text="Of a hold: when it ends by itself.")),
                migrations.AlterField("payment", "kind", models.CharField(
                    max_length=13, choices=list(KINDS.items()))),
                migrations.RemoveConstraint("payment", "payments_kind"),
                migrations.AddConstraint("payment", models.CheckConstraint(
                    condition=Q(kind__in=list(KINDS)), name="payments_kind")),
            ],
        ),
    ]
