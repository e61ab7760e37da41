"""The audit trail, to which rows are only added."""

from pathlib import Path

import django.core.serializers.json
import django.db.models.functions.datetime
from django.db import migrations, models

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = "DROP FUNCTION audit_refuse_change() CASCADE"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False)),
                ('actor_kind', models.CharField(choices=[('client', 'Client system'), ('user', 'User'), ('staff', 'Staff'), ('command', 'Command or job')], max_length=7)),
                ('actor_id', models.UUIDField(null=True)),
                ('actor_name', models.CharField(blank=True, max_length=150)),
                ('action', models.CharField(max_length=60)),
                ('object_type', models.CharField(max_length=40)),
                ('object_id', models.CharField(max_length=64)),
                ('before', models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, null=True)),
                ('after', models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder, null=True)),
                ('reason', models.CharField(blank=True, max_length=1000)),
                ('request_id', models.CharField(max_length=128)),
                ('address', models.CharField(blank=True, max_length=45)),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'db_table': 'audit_entries',
                'indexes': [models.Index(fields=['object_id', 'id'], name='audit_entries_object'), models.Index(fields=['actor_id', 'id'], name='audit_entries_actor'), models.Index(fields=['actor_name', 'id'], name='audit_entries_actor_name'), models.Index(fields=['request_id'], name='audit_entries_request')],
                'constraints': [models.CheckConstraint(condition=models.Q(('actor_kind__in', ['client', 'user', 'staff', 'command'])), name='audit_entries_actor_kind')],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
    ]
