"""Filters by name for each person, and who may export lists."""

import uuid

import django.db.models.functions.datetime
from django.db import migrations, models

from ops.migrations._granting import give, take

RIGHTS = {role: ["ops.export_list"] for role in ("operator", "approver", "finance", "risk", "auditor")}
TITLES = {"ops.export_list": ("savedview", "Can export lists")}


class Migration(migrations.Migration):

    dependencies = [("ops", "0004_roles")]

    operations = [
        migrations.CreateModel(
            name="SavedView",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("owner_id", models.UUIDField()),
                ("page", models.CharField(help_text="The list: payments_payment.", max_length=80)),
                ("name", models.CharField(max_length=60)),
                ("query", models.CharField(max_length=1000)),
                ("created_at", models.DateTimeField(
                    db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={
                "db_table": "saved_views",
                "permissions": [("export_list", "Can export lists")],
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("owner_id", "page", "name"), name="saved_views_name")],
            },
        ),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
    ]
