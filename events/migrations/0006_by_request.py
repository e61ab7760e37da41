"""Find what a request led to, by its id, which every answer and every log line names."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("events", "0005_rebuilding")]

    operations = [
        AddIndexConcurrently("event", models.Index(fields=["correlation_id"], name="events_request")),
    ]
