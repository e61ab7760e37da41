"""Let a consumer read the event log again."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from events import consuming, log
from events.consumers import Consumer
from events.management.commands.consume import find, said_plainly


class Command(BaseCommand):
    help = """
Let a consumer read the event log again, up to its end.

  replay figures --from 0    again from the first event on: what had its effect has none again
  replay figures --rebuild   take all effects back first, and have them anew

It may run meanwhile. Rebuilding empties the consumer's tables for as long as it takes.
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the consumer (consume --list)")
        how = parser.add_mutually_exclusive_group(required=True)
        how.add_argument("--from", type=_position, dest="after", metavar="POSITION", help="events behind it; 0: all")
        how.add_argument("--rebuild", action="store_true", help="all of them, after taking the effects back")

    def handle(self, *args: Any, **options: Any) -> None:
        consumer = find(options["name"])
        with said_plainly():
            self._replay(consumer, options)
        self.stdout.write(f"{consumer.name} has read the log up to {consuming.position(consumer)}.")

    def _replay(self, consumer: Consumer, options: dict[str, Any]) -> None:
        if options["rebuild"]:
            end = consuming.rebuild(consumer)
        else:
            end = log.head()
            consuming.replay(consumer, after=options["after"])
        start = consuming.position(consumer)
        columns = [TextColumn("  Events"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with Progress(*columns) as progress:
            task = progress.add_task("", total=end - start)
            while (now := consuming.position(consumer)) < end:
                consuming.consume(consumer)
                progress.update(task, completed=now - start)
            progress.update(task, completed=end - start)


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ArgumentTypeError("a position is a whole number from 0 on")
    return int(text)
