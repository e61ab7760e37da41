"""Summaries of what happened, each call of the model for them, and who may see them and ask for them."""

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

from ops.migrations._granting import give, take

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP FUNCTION ai_summaries_check_final() CASCADE; DROP FUNCTION ai_calls_check_final() CASCADE;
DROP TRIGGER ai_summaries_kept ON ai_summaries; DROP TRIGGER ai_calls_kept ON ai_calls;
"""
VIEWERS = ["viewer", "support", "operator", "approver", "finance", "risk", "auditor", "administrator"]
MAKERS = ["operator", "approver", "finance", "risk"]
RIGHTS = {
    role: ["ops.view_summary"] + (["ops.make_summary"] if role in MAKERS else []) for role in VIEWERS
}
TITLES = {"ops.make_summary": ("summary", "Can have a summary made")}


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0007_alerts'),
    ]

    operations = [
        migrations.CreateModel(
            name='Summary',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('daily', 'Daily'), ('window', 'Window'), ('incident', 'Incident'), ('weekly', 'Weekly')], max_length=8)),
                ('slot', models.DateTimeField(null=True)),
                ('begins_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField()),
                ('code', models.CharField(blank=True, help_text='Of an incident: the failure that it is about.', max_length=40)),
                ('state', models.CharField(choices=[('WAITING', 'Waiting'), ('DONE', 'Done')], default='WAITING', max_length=7)),
                ('requested_by', models.UUIDField(null=True)),
                ('requested_name', models.CharField(blank=True, max_length=150)),
                ('facts', models.JSONField(null=True)),
                ('names', models.JSONField(default=dict)),
                ('title', models.CharField(blank=True, max_length=100)),
                ('claims', models.JSONField(default=list)),
                ('written_by', models.CharField(blank=True, choices=[('model', 'Model'), ('template', 'Template')], max_length=8)),
                ('why', models.CharField(blank=True, choices=[('no_key', 'No model is set up'), ('over_budget', "The day's budget for the model is used up"), ('unreachable', 'The model could not be reached'), ('no_answer', 'The model gave no answer in time'), ('turned_away', "The model's endpoint turned the request away"), ('refused', 'The model refused'), ('truncated', "The model's answer broke off"), ('too_long', "The model's answer was longer than is read"), ('garbage', "The model's answer was not in the form asked for"), ('untrue', 'The model said what the facts do not'), ('unfit', "The model's text was not plain: markup, a link, or a call to act"), ('interrupted', 'The worker died while it asked the model')], max_length=11)),
                ('detail', models.CharField(blank=True, max_length=200)),
                ('model', models.CharField(blank=True, help_text='The model that was asked.', max_length=100)),
                ('prompt_version', models.CharField(blank=True, max_length=16)),
                ('created_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'summaries',
                'db_table': 'ai_summaries',
                'permissions': [('make_summary', 'Can have a summary made')],
                'indexes': [models.Index(fields=['kind', 'id'], name='ai_summaries_list'), models.Index(fields=['kind', 'begins_at', 'id'], name='ai_summaries_days')],
                'constraints': [models.UniqueConstraint(fields=('kind', 'slot'), name='ai_summaries_slot'), models.CheckConstraint(condition=models.Q(('kind__in', ['daily', 'window', 'incident', 'weekly'])), name='ai_summaries_kind'), models.CheckConstraint(condition=models.Q(('begins_at__lt', models.F('ends_at'))), name='ai_summaries_window'), models.CheckConstraint(condition=models.Q(models.Q(('finished_at__isnull', True), ('state', 'WAITING'), ('written_by', '')), models.Q(('facts__isnull', False), ('finished_at__isnull', False), ('state', 'DONE'), ('why', ''), ('written_by', 'model')), models.Q(('facts__isnull', False), ('finished_at__isnull', False), ('state', 'DONE'), ('written_by', 'template'), models.Q(('why', ''), _negated=True)), _connector='OR'), name='ai_summaries_state')],
            },
        ),
        migrations.CreateModel(
            name='ModelCall',
            fields=[
                ('pk', models.CompositePrimaryKey('summary_id', 'number', blank=True, editable=False, primary_key=True, serialize=False)),
                ('number', models.SmallIntegerField()),
                ('model', models.CharField(max_length=100)),
                ('reserved', models.DecimalField(decimal_places=6, max_digits=12)),
                ('cost', models.DecimalField(decimal_places=6, max_digits=12, null=True)),
                ('tokens_in', models.IntegerField(null=True)),
                ('tokens_out', models.IntegerField(null=True)),
                ('outcome', models.CharField(blank=True, max_length=11)),
                ('detail', models.CharField(blank=True, max_length=200)),
                ('started_at', models.DateTimeField()),
                ('finished_at', models.DateTimeField(null=True)),
                ('summary', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='calls', to='ops.summary')),
            ],
            options={
                'verbose_name': 'call of the model',
                'verbose_name_plural': 'calls of the model',
                'db_table': 'ai_calls',
                'indexes': [models.Index(fields=['started_at'], name='ai_calls_day')],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
    ]
