"""Run the sequencer."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from events.sequencer import POLL_SECONDS, sequence
from events.working import work


class Command(BaseCommand):
    help = """
Move committed facts from the outbox into the event log, each to the next position.

  sequence          until it is told to stop, as `make run` does
  sequence --once   what is there now

Two at once do no harm: each batch is moved by one of them.
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="move what is there now, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["once"]:
            work(sequence, idle_seconds=POLL_SECONDS)
            return
        moved = 0
        while done := sequence():
            moved += done
        self.stdout.write(f"{moved} facts moved into the log.")
