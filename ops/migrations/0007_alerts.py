"""Alerts: rules, what came of them, who was told; and what only rules read."""

from datetime import UTC, datetime
from pathlib import Path

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from ledger.ids import id_maker
from ops.migrations._granting import give, take

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP FUNCTION alerts_check_move() CASCADE;
DROP TRIGGER alerts_kept ON alerts;
DROP TRIGGER alert_configurations_kept ON alert_configurations;
DROP TRIGGER alert_steps_kept ON alert_steps;
DROP TRIGGER alert_notifications_kept ON alert_notifications;
DROP TRIGGER alert_notification_alerts_kept ON alert_notification_alerts;
ALTER TABLE alert_configurations DROP CONSTRAINT alert_configurations_window,
    DROP CONSTRAINT alert_configurations_counts, DROP CONSTRAINT alert_configurations_escalation,
    DROP CONSTRAINT alert_configurations_severity, DROP CONSTRAINT alert_configurations_weekdays,
    DROP CONSTRAINT alert_configurations_hours, DROP CONSTRAINT alert_configurations_addresses;
ALTER TABLE alerts DROP CONSTRAINT alerts_severity, DROP CONSTRAINT alerts_seen, DROP CONSTRAINT alerts_sent,
    DROP CONSTRAINT alerts_acknowledged, DROP CONSTRAINT alerts_resolved, DROP CONSTRAINT alerts_ended;
ALTER TABLE alert_notifications DROP CONSTRAINT alert_notifications_channel,
    DROP CONSTRAINT alert_notifications_state, DROP CONSTRAINT alert_notifications_sent;
"""

SEE = ["ops.view_alert", "ops.view_alertconfiguration"]
HANDLE, CONFIGURE = ["ops.handle_alert"], ["ops.configure_alert"]
RIGHTS = {
    "viewer": SEE,
    "support": SEE,
    "operator": SEE + HANDLE,
    "approver": SEE + HANDLE,
    "finance": SEE + HANDLE + CONFIGURE,
    "risk": SEE + HANDLE + CONFIGURE,
    "auditor": SEE,
    "administrator": SEE + HANDLE + CONFIGURE,
}
TITLES = {
    "ops.handle_alert": ("alert", "Can acknowledge, assign, mute and resolve alerts"),
    "ops.configure_alert": ("alertconfiguration", "Can make and change alert rules"),
}

# Type, name, threshold, window in minutes, minimum volume, severity. They tell nobody until they have recipients.
RULES = [
    ("failure_rate", "Payments fail", 20, 15, 50, "critical"),
    ("ledger_inconsistency", "Reconciliation has found something", 1, 5, 0, "critical"),
    ("reconciliation_late", "Reconciliation is late", 2, 5, 0, "critical"),
    ("repeated_duplicates", "Payments are repeated", 10, 15, 0, "warning"),
    ("system_errors", "Requests fail on our side", 10, 10, 0, "critical"),
    ("outbox_lag", "Facts reach the log or its readers late", 120, 5, 0, "critical"),
    ("webhook_lag", "Webhooks are sent late", 300, 5, 0, "warning"),
    ("webhook_dead", "Webhooks are given up", 1, 60, 0, "warning"),
    ("hold_backlog", "Many holds are open", 10_000, 5, 0, "warning"),
    ("hold_overdue", "Holds outlive their time", 900, 5, 0, "warning"),
    ("low_treasury", "A treasury runs low", 0, 5, 0, "warning"),
    ("limit_pressure", "Limits decline payments", 20, 60, 50, "warning"),
    ("unusual_volume", "Unusually many or few payments", 3, 60, 100, "warning"),
    ("job_failures", "Jobs are given up", 1, 60, 0, "warning"),
    ("job_lag", "Jobs wait", 600, 5, 0, "warning"),
]
# How far a treasury may go down is for its owners to say; as the source of money it is below 0 from the first top-up.
SWITCHED_OFF = {"low_treasury"}


def make_rules(apps, schema_editor):
    now = datetime.now(UTC)
    new_id = id_maker(at=now)
    rules = apps.get_model("ops", "AlertConfiguration").objects.using(schema_editor.connection.alias)
    for type, name, threshold, window, volume, severity in RULES:
        rules.create(
            id=new_id(), type=type, name=name, threshold=threshold, window_minutes=window, minimum_volume=volume,
            severity=severity, enabled=type not in SWITCHED_OFF, created_at=now, updated_at=now,
        )


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0006_failures'),
        ('ledger', '0003_backdated'),
    ]

    operations = [
        migrations.CreateModel(
            name='AlertConfiguration',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80, unique=True)),
                ('type', models.CharField(max_length=24)),
                ('asset', models.CharField(blank=True, max_length=16)),
                ('threshold', models.DecimalField(decimal_places=8, max_digits=28)),
                ('window_minutes', models.IntegerField()),
                ('minimum_volume', models.IntegerField(default=0)),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('warning', 'Warning'), ('info', 'Info')], max_length=8)),
                ('recipients', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=254), default=list, size=None)),
                ('slack_url', models.TextField(blank=True)),
                ('cooldown_minutes', models.IntegerField(default=60)),
                ('escalate_after_minutes', models.IntegerField(null=True)),
                ('escalation_recipients', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=254), default=list, size=None)),
                ('resolve_after', models.SmallIntegerField(default=2)),
                ('weekdays', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), default=list, size=None)),
                ('from_hour', models.SmallIntegerField(default=0)),
                ('to_hour', models.SmallIntegerField(default=24)),
                ('enabled', models.BooleanField(default=True)),
                ('muted_until', models.DateTimeField(null=True)),
                ('told_at', models.DateTimeField(null=True)),
                ('version', models.IntegerField(default=1)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'alert rule',
                'db_table': 'alert_configurations',
                'permissions': [('configure_alert', 'Can make and change alert rules')],
            },
        ),
        migrations.CreateModel(
            name='RequestTrouble',
            fields=[
                ('pk', models.CompositePrimaryKey('begins_at', 'code', blank=True, editable=False, primary_key=True, serialize=False)),
                ('begins_at', models.DateTimeField()),
                ('code', models.CharField(max_length=40)),
                ('requests', models.BigIntegerField()),
            ],
            options={
                'db_table': 'request_troubles',
            },
        ),
        migrations.CreateModel(
            name='Alert',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('type', models.CharField(max_length=24)),
                ('fingerprint', models.CharField(max_length=200)),
                ('severity', models.CharField(choices=[('critical', 'Critical'), ('warning', 'Warning'), ('info', 'Info')], max_length=8)),
                ('title', models.CharField(max_length=200)),
                ('detail', models.CharField(blank=True, max_length=2000)),
                ('subject', models.CharField(blank=True, max_length=80)),
                ('subject_type', models.CharField(blank=True, max_length=24)),
                ('subject_id', models.CharField(blank=True, max_length=200)),
                ('asset', models.CharField(blank=True, max_length=16)),
                ('value', models.CharField(blank=True, max_length=40)),
                ('threshold', models.CharField(blank=True, max_length=40)),
                ('state', models.CharField(choices=[('PENDING', 'Pending'), ('SENT', 'Sent'), ('ACKNOWLEDGED', 'Acknowledged'), ('RESOLVED', 'Resolved')], default='PENDING', max_length=12)),
                ('occurrences', models.IntegerField(default=1)),
                ('quiet', models.SmallIntegerField(default=0)),
                ('first_seen', models.DateTimeField()),
                ('last_seen', models.DateTimeField()),
                ('told_at', models.DateTimeField(null=True)),
                ('escalated_at', models.DateTimeField(null=True)),
                ('end_told_at', models.DateTimeField(null=True)),
                ('muted_until', models.DateTimeField(null=True)),
                ('owner_id', models.UUIDField(null=True)),
                ('owner_name', models.CharField(blank=True, max_length=150)),
                ('acknowledged_at', models.DateTimeField(null=True)),
                ('acknowledged_by', models.CharField(blank=True, max_length=150)),
                ('resolved_at', models.DateTimeField(null=True)),
                ('resolved_by', models.CharField(blank=True, max_length=150)),
                ('classification', models.CharField(blank=True, choices=[('internal_bug', 'Our bug'), ('internal_release', 'Our release'), ('internal_operation', 'Our operation'), ('external_provider', 'A provider'), ('external_client', 'A client system'), ('external_customer', 'A customer'), ('false_alarm', 'False alarm')], max_length=20)),
                ('note', models.CharField(blank=True, max_length=1000)),
                ('urgency', models.SmallIntegerField(default=0, editable=False)),
                ('configuration', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='alerts', to='ops.alertconfiguration')),
            ],
            options={
                'db_table': 'alerts',
                'permissions': [('handle_alert', 'Can acknowledge, assign, mute and resolve alerts')],
            },
        ),
        migrations.CreateModel(
            name='AlertSample',
            fields=[
                ('pk', models.CompositePrimaryKey('configuration_id', 'subject', 'at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('subject', models.CharField(blank=True, max_length=80)),
                ('at', models.DateTimeField()),
                ('value', models.DecimalField(decimal_places=8, max_digits=28)),
                ('volume', models.BigIntegerField()),
                ('configuration', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='ops.alertconfiguration')),
            ],
            options={
                'db_table': 'alert_samples',
            },
        ),
        migrations.CreateModel(
            name='AlertStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('step', models.CharField(max_length=12)),
                ('by', models.CharField(blank=True, max_length=150)),
                ('note', models.CharField(blank=True, max_length=1000)),
                ('alert', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='ops.alert')),
            ],
            options={
                'db_table': 'alert_steps',
            },
        ),
        migrations.CreateModel(
            name='LatestPayment',
            fields=[
                ('pk', models.CompositePrimaryKey('sender_wallet_id', 'receiver_wallet_id', 'kind', 'amount', blank=True, editable=False, primary_key=True, serialize=False)),
                ('sender_wallet_id', models.UUIDField()),
                ('receiver_wallet_id', models.UUIDField()),
                ('kind', models.CharField(max_length=16)),
                ('amount', models.BigIntegerField()),
                ('payment_id', models.UUIDField()),
                ('at', models.DateTimeField()),
            ],
            options={
                'db_table': 'latest_payments',
                'indexes': [models.Index(fields=['at'], name='latest_payments_at')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('channel', models.CharField(choices=[('email', 'E-mail'), ('slack', 'Slack')], max_length=5)),
                ('address', models.CharField(max_length=254)),
                ('is_test', models.BooleanField(default=False)),
                ('state', models.CharField(choices=[('WAITING', 'Waiting'), ('SENT', 'Sent'), ('DEAD', 'Given up')], default='WAITING', max_length=7)),
                ('tries', models.SmallIntegerField(default=0)),
                ('error', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(null=True)),
                ('configuration', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ops.alertconfiguration')),
            ],
            options={
                'db_table': 'alert_notifications',
            },
        ),
        migrations.CreateModel(
            name='NotifiedAlert',
            fields=[
                ('pk', models.CompositePrimaryKey('notification_id', 'alert_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('word', models.CharField(choices=[('began', 'Began'), ('escalated', 'Not acknowledged yet'), ('ended', 'Ended')], max_length=9)),
                ('alert', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='notified', to='ops.alert')),
                ('notification', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='notified', to='ops.notification')),
            ],
            options={
                'db_table': 'alert_notification_alerts',
            },
        ),
        migrations.CreateModel(
            name='RepeatedPayment',
            fields=[
                ('payment_id', models.UUIDField(primary_key=True, serialize=False)),
                ('earlier_id', models.UUIDField()),
                ('asset', models.CharField(max_length=16)),
                ('at', models.DateTimeField()),
            ],
            options={
                'db_table': 'repeated_payments',
                'indexes': [models.Index(fields=['at'], name='repeated_payments_at')],
            },
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['-urgency', '-id'], name='alerts_urgency'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['state', 'id'], name='alerts_state'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['subject_id', 'id'], name='alerts_subject'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('told_at__isnull', True), models.Q(('state', 'RESOLVED'), _negated=True)), fields=['configuration'], name='alerts_untold'),
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(condition=models.Q(('end_told_at__isnull', True), ('told_at__isnull', False)), fields=['configuration'], name='alerts_end_untold'),
        ),
        migrations.AddConstraint(
            model_name='alert',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'RESOLVED'), _negated=True), fields=('fingerprint',), name='alerts_one_open'),
        ),
        migrations.AddIndex(
            model_name='alertsample',
            index=models.Index(fields=['at'], name='alert_samples_at'),
        ),
        migrations.RunSQL(FORWARD, REVERSE),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
        migrations.RunPython(make_rules, migrations.RunPython.noop),
    ]
