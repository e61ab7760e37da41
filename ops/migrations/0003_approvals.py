"""What one person asks for and another decides about."""

from pathlib import Path

from django.db import migrations, models

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP TRIGGER approvals_no_delete ON approvals;
DROP FUNCTION approvals_check_move() CASCADE;
ALTER TABLE approvals DROP CONSTRAINT approvals_two_people, DROP CONSTRAINT approvals_reason,
    DROP CONSTRAINT approvals_amount, DROP CONSTRAINT approvals_lasts, DROP CONSTRAINT approvals_decided,
    DROP CONSTRAINT approvals_executed;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0002_reconciliation'),
        ('ledger', '0003_backdated'),
    ]

    operations = [
        migrations.CreateModel(
            name='Approval',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('action', models.CharField(max_length=20)),
                ('target_type', models.CharField(max_length=16)),
                ('target_id', models.UUIDField()),
                ('payload', models.JSONField()),
                ('expected', models.JSONField()),
                ('amount_minor', models.BigIntegerField(null=True)),
                ('asset', models.CharField(blank=True, max_length=16)),
                ('payload_sha256', models.CharField(max_length=64)),
                ('reason', models.CharField(max_length=200)),
                ('maker_id', models.UUIDField()),
                ('maker_name', models.CharField(max_length=150)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('state', models.CharField(choices=[('PENDING', 'Pending'), ('APPROVED', 'Approved'), ('EXECUTED', 'Executed'), ('REJECTED', 'Rejected'), ('CANCELLED', 'Cancelled'), ('EXPIRED', 'Expired'), ('FAILED', 'Failed')], default='PENDING', max_length=9)),
                ('decided_by', models.UUIDField(null=True)),
                ('decided_by_name', models.CharField(blank=True, max_length=150)),
                ('decided_at', models.DateTimeField(null=True)),
                ('note', models.CharField(blank=True, max_length=1000)),
                ('executed_at', models.DateTimeField(null=True)),
                ('result', models.JSONField(null=True)),
            ],
            options={
                'db_table': 'approvals',
                'permissions': [('propose_approval', 'Can propose what needs a second person'), ('decide_approval', 'Can approve and reject what others propose'), ('suspend_wallet', 'Can suspend a wallet at once')],
                'indexes': [models.Index(fields=['target_id', 'id'], name='approvals_target'), models.Index(fields=['maker_id', 'id'], name='approvals_maker'), models.Index(fields=['state', 'expires_at'], name='approvals_state')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['PENDING', 'APPROVED'])), fields=('action', 'target_id'), name='approvals_one_open')],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
