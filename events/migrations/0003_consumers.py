"""Who reads the log and how far it has come; what it did, and what it set aside."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0002_log'),
    ]

    operations = [
        migrations.CreateModel(
            name='Cursor',
            fields=[
                ('name', models.CharField(max_length=60, primary_key=True, serialize=False)),
                ('position', models.BigIntegerField(default=0)),
                ('moved_at', models.DateTimeField(auto_now=True)),
            ],
            options={
                'verbose_name': 'reader',
                'db_table': 'event_cursors',
            },
        ),
        migrations.CreateModel(
            name='ProcessedEvent',
            fields=[
                ('pk', models.CompositePrimaryKey('consumer', 'position', blank=True, editable=False, primary_key=True, serialize=False)),
                ('consumer', models.CharField(max_length=60)),
                ('position', models.BigIntegerField()),
            ],
            options={
                'db_table': 'processed_events',
            },
        ),
        migrations.CreateModel(
            name='ParkedEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consumer', models.CharField(max_length=60)),
                ('position', models.BigIntegerField()),
                ('keys', django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None)),
                ('error', models.TextField(help_text='Empty: it waits for an earlier one.')),
                ('tries', models.IntegerField()),
                ('parked_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'event set aside',
                'verbose_name_plural': 'events set aside',
                'db_table': 'parked_events',
                'constraints': [models.UniqueConstraint(fields=('consumer', 'position'), name='parked_events_once')],
            },
        ),
    ]
