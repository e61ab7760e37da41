"""Fill an empty ledger with a story to look at."""

import signal
import sys
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connections
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger.models import Asset
from ops.demo import set_shift, tell
from ops.demo_operations import tell_operations


class Command(BaseCommand):
    help = (
        "Fill an empty ledger with a month in the life of a game and a shop: users, three assets, a few "
        "thousand payments, some failing for good reasons. The same seed tells the same story."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=7, help="which story (7)")
        parser.add_argument("--payments", type=int, default=3000, help="how many payments (3000)")
        parser.add_argument("--days", type=int, default=30, help="over how many days (30)")
        parser.add_argument("--if-empty", action="store_true", help="do nothing on a ledger that is in use")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("Demo data is not for production: it shifts the platform's clock.")
        if "owner" not in connections:
            raise CommandError("Set DATABASE_OWNER_URL: only the owner can shift the clock into the past.")
        # Told to stop, the story ends by setting the clock right.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        if Asset.objects.exists():
            if options["if_empty"]:
                set_shift(timedelta(0))  # where a story was killed in the middle
                return
            raise CommandError("The ledger is in use. Demo data wants an empty one: DATA_DIR=var/demo make run")
        columns = [TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with Progress(*columns) as progress:
            task = progress.add_task("Demo data: payments", total=options["payments"])
            for done in tell(seed=options["seed"], days=options["days"], payments=options["payments"]):
                progress.update(task, completed=done)
            operations = progress.add_task("Demo data: what the people on duty did", total=1)
            tell_operations()
            progress.update(operations, completed=1)
