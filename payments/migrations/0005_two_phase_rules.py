"""Let PostgreSQL guarantee that a hold ends once, and that its counters are what its children moved."""

from pathlib import Path

from django.db import migrations

FORWARD = Path(__file__).with_suffix(".sql").read_text()
# The function as 0002 made it, from there to its triggers.
_BEFORE = (Path(__file__).parent / "0002_rules.sql").read_text()
_MOVE = _BEFORE[_BEFORE.index("CREATE FUNCTION payments_check_move") : _BEFORE.index("CREATE TRIGGER payments_move")]

REVERSE = (
    "DROP FUNCTION payments_check_held() CASCADE; DROP FUNCTION accounts_check_held() CASCADE;"
    "DROP FUNCTION payments_held_is_right(uuid); DROP FUNCTION payments_check_children() CASCADE;"
    + _MOVE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    + _BEFORE[_BEFORE.index("DO $$") :]
)


class Migration(migrations.Migration):
    dependencies = [("payments", "0004_validate")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
