"""What ends all sessions of a person: counted up, it makes their cookies those of nobody."""

from django.db import migrations, models

# A constant default: no row is rewritten.
FORWARD = "ALTER TABLE identity_users ADD COLUMN session_epoch bigint NOT NULL DEFAULT 0"
REVERSE = "ALTER TABLE identity_users DROP COLUMN session_epoch"


class Migration(migrations.Migration):

    dependencies = [
        ("identity", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            FORWARD,
            REVERSE,
            state_operations=[
                migrations.AddField("user", "session_epoch", models.BigIntegerField(db_default=0, editable=False)),
            ],
        ),
    ]
