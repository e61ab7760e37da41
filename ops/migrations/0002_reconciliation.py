"""Reconciliation on record: runs, and what they have found."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP FUNCTION reconciliation_runs_check_final() CASCADE; DROP FUNCTION reconciliation_findings_check_kept() CASCADE;
DROP TRIGGER reconciliation_runs_kept ON reconciliation_runs;
DROP TRIGGER reconciliation_findings_kept ON reconciliation_findings;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0002_rules'),
        ('ops', '0001_read_models'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReconciliationRun',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('incremental', 'Incremental'), ('full', 'Full')], max_length=11)),
                ('slot', models.DateTimeField(null=True)),
                ('state', models.CharField(choices=[('RUNNING', 'Running'), ('CLEAN', 'Clean'), ('FINDINGS', 'Findings'), ('FAILED', 'Failed')], default='RUNNING', max_length=8)),
                ('from_position', models.BigIntegerField(null=True)),
                ('to_position', models.BigIntegerField(null=True)),
                ('checked', models.JSONField(default=dict)),
                ('found', models.JSONField(default=dict)),
                ('truncated', models.BooleanField(default=False, help_text='More was found of a kind than is kept.')),
                ('error', models.CharField(blank=True, help_text='Why it FAILED.', max_length=500)),
                ('tries', models.SmallIntegerField(default=0)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name': 'reconciliation',
                'db_table': 'reconciliation_runs',
                'indexes': [models.Index(fields=['to_position'], name='reconciliation_runs_to'), models.Index(condition=models.Q(('state', 'RUNNING')), fields=['id'], name='reconciliation_runs_open')],
                'constraints': [models.UniqueConstraint(fields=('kind', 'slot'), name='reconciliation_runs_slot'), models.CheckConstraint(condition=models.Q(('kind__in', ['incremental', 'full'])), name='reconciliation_runs_kind'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('state', 'RUNNING')), models.Q(('finished_at__isnull', False), ('state', 'FAILED')), models.Q(('finished_at__isnull', False), ('from_position__isnull', False), ('state__in', ['CLEAN', 'FINDINGS']), ('to_position__isnull', False)), _connector='OR'), name='reconciliation_runs_state')],
            },
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('subject_type', models.CharField(max_length=16)),
                ('subject_id', models.CharField(max_length=200)),
                ('evidence', models.JSONField(help_text='What was expected, and what is there.')),
                ('state', models.CharField(choices=[('OPEN', 'Open'), ('EXPLAINED', 'Explained'), ('RESOLVED', 'Resolved')], default='OPEN', max_length=9)),
                ('owner', models.CharField(blank=True, help_text='Who looks after it.', max_length=150)),
                ('note', models.TextField(blank=True)),
                ('first_seen', models.DateTimeField()),
                ('last_seen', models.DateTimeField()),
                ('last_run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='seen', to='ops.reconciliationrun')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='first_seen', to='ops.reconciliationrun')),
            ],
            options={
                'db_table': 'reconciliation_findings',
                'indexes': [models.Index(fields=['subject_id'], name='reconciliation_findings_about')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'RESOLVED'), _negated=True), fields=('kind', 'subject_type', 'subject_id'), name='reconciliation_findings_once'), models.CheckConstraint(condition=models.Q(('state__in', ['OPEN', 'EXPLAINED', 'RESOLVED'])), name='reconciliation_findings_state')],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
