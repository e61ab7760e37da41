"""Make somebody for each role, named after it, and show how they log in: for demos, never in production."""

import json
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Make a superuser admin and somebody for each role, with second factors; one JSON list. Not in production."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("In production, people are made one by one: manage.py create_staff.")
        roles = Group.objects.order_by("name").values_list("name", flat=True)
        wanted = [("admin", "--superuser"), *((role, f"--role={role}") for role in roles)]
        self.stdout.write(json.dumps([_made(name, role) for name, role in wanted]))


def _made(name: str, role: str) -> Any:
    out = StringIO()
    call_command("create_staff", name, role, "--with-device", "--json", stdout=out)
    return json.loads(out.getvalue())
