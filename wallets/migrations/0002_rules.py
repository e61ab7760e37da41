"""Keep wallets to their lifecycle, and their accounts open only while they are ACTIVE."""

from pathlib import Path

from django.db import migrations

FORWARD = Path(__file__).with_suffix(".sql").read_text()

REVERSE = """
DROP TRIGGER wallets_no_delete ON wallets;
DROP FUNCTION wallets_check_open() CASCADE;
DROP FUNCTION wallets_check_move() CASCADE;
DELETE FROM wallet_transitions;
ALTER TABLE wallets DROP CONSTRAINT wallets_account_fk;
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_initial"), ("ledger", "0002_rules")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
