"""Adjustments, overdrafts and higher limits by two people: who may ask, and what the database takes for approved."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Q, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce

from ops.migrations._granting import give, take

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
CREATE OR REPLACE FUNCTION ledger_floor_approved(account uuid, floor bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS 'SELECT false';
CREATE OR REPLACE FUNCTION payments_limits_approved(wallet uuid, per_payment bigint, per_day bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS 'SELECT false';
CREATE OR REPLACE FUNCTION payments_adjustment_approved(
    key text, maker uuid, asset text, amount bigint, sender uuid, receiver uuid
) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS 'SELECT false';
DROP INDEX approvals_one_open;
CREATE UNIQUE INDEX approvals_one_open ON approvals (action, target_id) WHERE state IN ('PENDING', 'APPROVED');
"""
OPEN = Q(state__in=["PENDING", "APPROVED"])
TITLES = {
    "ops.propose_adjustment": ("approval", "Can propose adjustments and overdrafts"),
    "ops.operate_wallet": ("approval", "Can activate, close and limit wallets"),
}
RIGHTS = {"finance": list(TITLES), "operator": ["ops.operate_wallet"]}


class Migration(migrations.Migration):
    dependencies = [
        ("ops", "0009_statements"),
        ("ledger", "0005_validate"),
        ("payments", "0008_limits"),
    ]

    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[
                migrations.RemoveConstraint("approval", "approvals_one_open"),
                migrations.AddConstraint(
                    "approval",
                    models.UniqueConstraint(
                        "action",
                        "target_id",
                        Coalesce(KT("payload__reference"), Value("")),
                        condition=OPEN,
                        name="approvals_one_open",
                    ),
                ),
            ],
        ),
        migrations.AlterModelOptions(
            "approval",
            {
                "permissions": [
                    ("propose_approval", "Can propose what needs a second person"),
                    ("propose_adjustment", "Can propose adjustments and overdrafts"),
                    ("decide_approval", "Can approve and reject what others propose"),
                    ("suspend_wallet", "Can suspend a wallet at once"),
                    ("operate_wallet", "Can activate, close and limit wallets"),
                ]
            },
        ),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
    ]
