"""How far a consumer has to read the log before what it lost in a rebuild is all there again."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0004_webhooks'),
    ]

    operations = [
        migrations.AddField(
            model_name='cursor',
            name='rebuilding_to',
            field=models.BigIntegerField(db_default=0),
        ),
    ]
