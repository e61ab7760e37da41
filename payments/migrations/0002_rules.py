"""Keep payments to their states, and to what was asked for."""

from pathlib import Path

from django.db import migrations

FORWARD = Path(__file__).with_suffix(".sql").read_text()

REVERSE = """
DROP TRIGGER transaction_failures_append_only ON transaction_failures;
DROP TRIGGER payments_no_delete ON payments;
DROP FUNCTION payments_check_move() CASCADE;
DELETE FROM payment_transitions;
ALTER TABLE payments DROP CONSTRAINT payments_sender_fk;
"""


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("ledger", "0002_rules")]

    operations = [migrations.RunSQL(FORWARD, REVERSE)]
