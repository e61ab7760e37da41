"""``migrate`` as the owner, followed by the grants of the serving role."""

from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from walletplatform.grants import apply_grants


class Command(migrate.Command):
    help = migrate.Command.help + " Runs as the owner (DATABASE_OWNER_URL), then applies the grants."

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] == "default":
            if "owner" not in connections:
                raise CommandError("Set DATABASE_OWNER_URL: tables belong to the owner, never to the role that serves.")
            options["database"] = "owner"
        super().handle(*args, **options)
        apply_grants(connections[options["database"]])
