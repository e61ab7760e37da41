"""Read models: what consumers of the log build."""

from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='PaymentFigure',
            fields=[
                ('pk', models.CompositePrimaryKey('span', 'begins_at', 'kind', 'asset', 'outcome', 'code', blank=True, editable=False, primary_key=True, serialize=False)),
                ('span', models.CharField(choices=[('minute', 'Minute'), ('hour', 'Hour'), ('day', 'Day')], max_length=6)),
                ('begins_at', models.DateTimeField()),
                ('kind', models.CharField(max_length=16)),
                ('asset', models.CharField(max_length=16)),
                ('outcome', models.CharField(max_length=16)),
                ('code', models.CharField(blank=True, max_length=40)),
                ('payments', models.BigIntegerField()),
                ('amount', models.DecimalField(decimal_places=0, max_digits=40)),
            ],
            options={
                'db_table': 'payment_figures',
            },
        ),
        migrations.CreateModel(
            name='OpenHold',
            fields=[
                ('payment_id', models.UUIDField(primary_key=True, serialize=False)),
                ('asset', models.CharField(max_length=16)),
                ('sender_wallet_id', models.UUIDField()),
                ('held', models.BigIntegerField()),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
            ],
            options={
                'db_table': 'open_holds',
                'indexes': [models.Index(fields=['asset', 'created_at'], name='open_holds_age'), models.Index(fields=['expires_at'], name='open_holds_expiry')],
            },
        ),
        migrations.CreateModel(
            name='SettlementTotal',
            fields=[
                ('pk', models.CompositePrimaryKey('day', 'account_id', blank=True, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('account_id', models.UUIDField()),
                ('account_kind', models.CharField(max_length=16)),
                ('asset', models.CharField(max_length=16)),
                ('entries', models.BigIntegerField()),
                ('debits', models.DecimalField(decimal_places=0, max_digits=40)),
                ('credits', models.DecimalField(decimal_places=0, max_digits=40)),
            ],
            options={
                'db_table': 'settlement_totals',
                'indexes': [models.Index(fields=['day', 'asset', '-debits'], name='settlement_payers'), models.Index(fields=['day', 'asset', '-credits'], name='settlement_payees')],
            },
        ),
    ]
