"""The log: every fact at a position without gaps, and no fact gone from the outbox that is not in it."""

from pathlib import Path

import django.contrib.postgres.fields
from django.db import migrations, models

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP FUNCTION events_check_gone() CASCADE; DROP FUNCTION events_check_position() CASCADE;
DROP FUNCTION events_refuse_change() CASCADE;
ALTER TABLE outbox_events RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='WalletEvent',
            fields=[
                ('pk', models.CompositePrimaryKey('wallet_id', 'type', 'position', blank=True, editable=False, primary_key=True, serialize=False)),
                ('wallet_id', models.UUIDField()),
                ('type', models.CharField(max_length=40)),
                ('position', models.BigIntegerField()),
            ],
            options={
                'db_table': 'event_wallets',
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('event_id', models.UUIDField()),
                ('type', models.CharField(max_length=40)),
                ('subject', models.UUIDField(help_text='The wallet or payment that it is about.')),
                ('time', models.DateTimeField()),
                ('correlation_id', models.CharField(max_length=128)),
                ('traceparent', models.CharField(blank=True, max_length=64)),
                ('data', models.TextField()),
                ('position', models.BigIntegerField(primary_key=True, serialize=False)),
                ('outbox_id', models.BigIntegerField(unique=True)),
                ('asset', models.CharField(max_length=16)),
                ('wallet_ids', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('sequenced_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'events',
                'indexes': [models.Index(fields=['asset', 'type', 'position'], name='events_asset_type'), models.Index(fields=['subject', 'position'], name='events_subject')],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
