"""How far a consumer has to read the log before what it lost in a rebuild is all there again."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('events', '0004_webhooks'),
    ]

    operations = [
        # In words, so that its SQL can be had without a database.
        migrations.RunSQL(
            "ALTER TABLE event_cursors ADD COLUMN rebuilding_to bigint NOT NULL DEFAULT 0;",
            "ALTER TABLE event_cursors DROP COLUMN rebuilding_to;",
            state_operations=[
                migrations.AddField('cursor', 'rebuilding_to', models.BigIntegerField(db_default=0)),
            ],
        ),
    ]
