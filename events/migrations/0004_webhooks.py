"""Where clients have events sent, what is to be sent, and every attempt at it."""

from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = "DROP TRIGGER webhook_attempts_append_only ON webhook_attempts"


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0003_consumers'),
        ('identity', '0001_initial'),
        ('ledger', '0002_rules'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('client_id', models.UUIDField()),
                ('url', models.CharField(max_length=2000)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('types', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), size=None)),
                ('assets', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), null=True, size=None)),
                ('secret', models.TextField()),
                ('former_secret', models.TextField(blank=True)),
                ('former_until', models.DateTimeField(null=True)),
                ('after', models.BigIntegerField()),
                ('enabled', models.BooleanField(default=True)),
                ('disabled_reason', models.CharField(blank=True, max_length=200)),
                ('failures', models.IntegerField(default=0, help_text='Attempts that failed since one last succeeded.')),
                ('paused_until', models.DateTimeField(help_text='After several failures it is spared until then.', null=True)),
                ('succeeded_at', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField()),
                ('deleted_at', models.DateTimeField(null=True)),
            ],
            options={
                'db_table': 'webhook_endpoints',
                'indexes': [models.Index(fields=['client_id', 'id'], name='webhook_endpoints_client')],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('endpoint', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='events.webhookendpoint')),
                ('position', models.BigIntegerField(null=True)),
                ('state', models.CharField(choices=[('PENDING', 'Pending'), ('DELIVERED', 'Delivered'), ('DEAD', 'Given up')], default='PENDING', max_length=9)),
                ('attempts', models.IntegerField(default=0)),
                ('counted_from', models.IntegerField(default=0)),
                ('due_at', models.DateTimeField()),
                ('claimed_until', models.DateTimeField(null=True)),
                ('give_up_at', models.DateTimeField()),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'db_table': 'webhook_deliveries',
            },
        ),
        migrations.CreateModel(
            name='WebhookAttempt',
            fields=[
                ('pk', models.CompositePrimaryKey('delivery_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('number', models.IntegerField()),
                ('started_at', models.DateTimeField()),
                ('milliseconds', models.IntegerField()),
                ('status', models.IntegerField(null=True)),
                ('error', models.CharField(blank=True, max_length=200)),
                ('answer', models.CharField(blank=True, max_length=1000)),
                ('delivery', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='tried', to='events.webhookdelivery')),
            ],
            options={
                'db_table': 'webhook_attempts',
            },
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(fields=['endpoint', 'state', 'id'], name='webhook_deliveries_list'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state', 'PENDING')), fields=['endpoint', 'due_at'], name='webhook_deliveries_due'),
        ),
        migrations.AddIndex(
            model_name='webhookdelivery',
            index=models.Index(condition=models.Q(('state', 'PENDING')), fields=['give_up_at'], name='webhook_deliveries_old'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.UniqueConstraint(fields=('endpoint', 'position'), name='webhook_deliveries_once'),
        ),
        migrations.AddConstraint(
            model_name='webhookdelivery',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['PENDING', 'DELIVERED', 'DEAD'])), name='webhook_deliveries_state'),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
