"""Who operates wallets and payments, who gives roles, and that clients propose too."""

from pathlib import Path

from django.db import migrations, models

from ops.migrations._granting import give, take

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP TRIGGER approvals_keep_maker ON approvals;
ALTER TABLE approvals DROP COLUMN maker_kind;
"""
TITLES = {
    "ops.operate_wallet": ("approval", "Can activate, close and limit wallets"),
    "ops.operate_payment": ("approval", "Can capture, void and release payments, and refund small ones"),
    "ops.grant_role": ("approval", "Can propose roles for people, and decide about what others propose"),
}
OPERATE = ["ops.operate_wallet", "ops.operate_payment"]
RIGHTS = {
    "operator": OPERATE,
    "finance": OPERATE,
    "administrator": ["ops.grant_role", "identity.add_client"],
}


class Migration(migrations.Migration):
    dependencies = [
        ("ops", "0010_limits"),
        ("identity", "0002_sessions"),
    ]

    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[
                migrations.AddField(
                    "approval",
                    "maker_kind",
                    models.CharField(db_default="staff", help_text="staff, or client: through the API.", max_length=6),
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
                    ("operate_payment", "Can capture, void and release payments, and refund small ones"),
                    ("grant_role", "Can propose roles for people, and decide about what others propose"),
                ]
            },
        ),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
    ]
