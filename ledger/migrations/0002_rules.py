"""Let PostgreSQL, not Python, guarantee that the ledger balances and never forgets."""

from pathlib import Path

from django.db import migrations

FORWARD = Path(__file__).with_suffix(".sql").read_text()

REVERSE = """
DROP FUNCTION ledger_seq_at(uuid, timestamptz);
DROP FUNCTION accounts_check_derived() CASCADE;
DROP FUNCTION accounts_check_fixed() CASCADE;
DROP FUNCTION ledger_entries_check_chain() CASCADE;
DROP FUNCTION transactions_check_balanced() CASCADE;
DROP FUNCTION ledger_refuse_change() CASCADE;
ALTER TABLE ledger_entries DROP CONSTRAINT ledger_entries_transaction_fk;
ALTER TABLE accounts DROP CONSTRAINT accounts_offered;
ALTER TABLE accounts RESET (fillfactor);
DROP FUNCTION ledger_now();
DELETE FROM ledger_clock;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
