"""Let a payment wait for somebody's decision, and what was declined about that be kept."""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Q

FORWARD = Path(__file__).with_suffix(".sql").read_text()
# The constraints as 0003 made them, and the functions as 0005 did.
_CONSTRAINTS = (Path(__file__).parent / "0003_two_phase.sql").read_text()
_RULES = (Path(__file__).parent / "0005_two_phase_rules.sql").read_text()


def _part(text: str, start: str, end: str) -> str:
    return text[text.index(start) : text.index(end, text.index(start))]


REVERSE = (
    "ALTER TABLE payments DROP CONSTRAINT payments_kind, DROP CONSTRAINT payments_child;"
    + _part(_CONSTRAINTS, "ALTER TABLE payments ADD CONSTRAINT payments_kind", "-- Only a hold")
    + _CONSTRAINTS[_CONSTRAINTS.index("ALTER TABLE payments ADD CONSTRAINT payments_child") :]
    + _part(_RULES, "CREATE OR REPLACE FUNCTION payments_check_move", "-- At COMMIT")
    + _part(_RULES, "CREATE FUNCTION payments_check_held", "CREATE TRIGGER").replace("CREATE", "CREATE OR REPLACE", 1)
    + FORWARD[FORWARD.index("DO $$") :]
)

KINDS = {
    "transfer": "Transfer", "topup": "Top-up", "bonus": "Bonus", "spend": "Spend",
    "authorization": "Authorization", "capture": "Capture", "refund": "Refund", "deposit": "Deposit",
    "payout": "Payout", "fx": "Foreign exchange", "adjustment": "Adjustment", "reversal": "Reversal",
    "void": "Void (declined)", "extension": "Extension (declined)", "review": "Review (declined)",
}  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_two_phase_rules")]

    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[
                migrations.AlterField("payment", "kind", models.CharField(
                    max_length=13, choices=list(KINDS.items()))),
                migrations.RemoveConstraint("payment", "payments_kind"),
                migrations.AddConstraint("payment", models.CheckConstraint(
                    condition=Q(kind__in=list(KINDS)), name="payments_kind")),
            ],
        ),
    ]
