"""Jobs as rows: what is to be done once, and what became of it."""

from pathlib import Path

from django.db import migrations, models

from ops.migrations._granting import give, take

FORWARD = Path(__file__).with_suffix(".sql").read_text()
REVERSE = """
DROP TRIGGER jobs_no_truncate ON jobs;
DROP FUNCTION jobs_check_move() CASCADE;
"""
SEE = ["ops.view_job", "django_celery_beat.view_periodictask"]
ACT = ["ops.retry_job"]
RIGHTS = {
    "viewer": SEE,
    "support": SEE,
    "operator": SEE + ACT,
    "approver": SEE + ACT,
    "finance": SEE + ACT,
    "risk": SEE,
    "auditor": SEE,
    "administrator": SEE + ACT + ["django_celery_beat.change_periodictask"],
}
TITLES = {"ops.retry_job": ("job", "Can retry and discard jobs, deliveries and events set aside")}


class Migration(migrations.Migration):
    dependencies = [
        ("ops", "0011_control"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=100)),
                ("queue", models.CharField(max_length=40)),
                ("slot", models.CharField(blank=True, max_length=64)),
                ("payload", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("WAITING", "Waiting"),
                            ("RUNNING", "Running"),
                            ("DONE", "Done"),
                            ("DEAD", "Dead"),
                            ("DISCARDED", "Discarded"),
                        ],
                        default="WAITING",
                        max_length=9,
                    ),
                ),
                ("tries", models.SmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=500)),
                ("errors", models.JSONField(default=list)),
                ("created_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("request_id", models.CharField(max_length=128)),
            ],
            options={
                "db_table": "jobs",
                "permissions": [("retry_job", "Can retry and discard jobs, deliveries and events set aside")],
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__in", ["WAITING", "RUNNING"])),
                        fields=["queue", "due_at", "id"],
                        name="jobs_due",
                    ),
                    models.Index(fields=["state", "id"], name="jobs_state"),
                    models.Index(fields=["queue", "id"], name="jobs_queue"),
                    models.Index(fields=["name", "id"], name="jobs_name"),
                    models.Index(
                        condition=models.Q(("state__in", ["DONE", "DISCARDED"])),
                        fields=["finished_at"],
                        name="jobs_old",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("slot", ""), _negated=True), fields=("name", "slot"), name="jobs_slot"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("finished_at__isnull", True), ("state__in", ["WAITING", "RUNNING"])),
                            models.Q(("finished_at__isnull", False), ("state__in", ["DONE", "DEAD", "DISCARDED"])),
                            _connector="OR",
                        ),
                        name="jobs_finished",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, REVERSE),
        migrations.RunPython(give(RIGHTS, titles=TITLES), take(RIGHTS)),
    ]
