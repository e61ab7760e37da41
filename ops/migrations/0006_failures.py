"""What failure analysis reads: failed payments one by one, and what came of each client's payments."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('ops', '0005_saved_views'),
    ]

    operations = [
        migrations.CreateModel(
            name='ClientFigure',
            fields=[
                ('pk', models.CompositePrimaryKey('span', 'begins_at', 'client_id', 'asset', 'outcome', blank=True, editable=False, primary_key=True, serialize=False)),
                ('span', models.CharField(choices=[('hour', 'Hour'), ('day', 'Day')], max_length=4)),
                ('begins_at', models.DateTimeField()),
                ('client_id', models.UUIDField()),
                ('asset', models.CharField(max_length=16)),
                ('outcome', models.CharField(max_length=16)),
                ('payments', models.BigIntegerField()),
                ('amount', models.DecimalField(decimal_places=0, max_digits=40)),
            ],
            options={
                'db_table': 'failure_clients',
            },
        ),
        migrations.CreateModel(
            name='FailedPayment',
            fields=[
                ('payment_id', models.UUIDField(primary_key=True, serialize=False)),
                ('failed_at', models.DateTimeField()),
                ('kind', models.CharField(max_length=16)),
                ('asset', models.CharField(max_length=16)),
                ('code', models.CharField(max_length=40)),
                ('category', models.CharField(max_length=8)),
                ('client_id', models.UUIDField()),
                ('wallet_id', models.UUIDField(null=True)),
                ('amount', models.BigIntegerField()),
            ],
            options={
                'db_table': 'failure_payments',
                'indexes': [models.Index(fields=['failed_at'], name='failure_payments_time'), models.Index(fields=['code', 'failed_at'], name='failure_payments_code'), models.Index(fields=['client_id', 'failed_at'], name='failure_payments_client'), models.Index(fields=['wallet_id', 'failed_at'], name='failure_payments_wallet')],
            },
        ),
    ]
