"""Run consumers of the event log."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from events.consumers import CONSUMERS, Consumer
from events.consuming import TRANSIENT, consume
from events.kafka_source import KafkaSource
from events.parked import retry
from events.working import Halted, work

IDLE_SECONDS = 0.1


class Command(BaseCommand):
    help = """
Run consumers of the event log until told to stop; all of them where none is named.

  consume                     as `make run` does
  consume figures             this one alone
  consume --once              up to the end of the log, and end
  consume figures --retry     what was set aside, once more
  consume figures --kafka     from Kafka instead of the log; several share the work
  consume --list              which there are
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar="NAME", help="consumers (all)")
        parser.add_argument("--once", action="store_true", help="up to the end of the log, and end")
        parser.add_argument("--retry", action="store_true", help="try again what was set aside, and end")
        parser.add_argument("--kafka", action="store_true", help="read Kafka's topics instead of the log")
        parser.add_argument("--list", action="store_true", help="say which consumers there are")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["kafka"]:
            self._consume_kafka(options["names"])
            return
        chosen = [find(name) for name in options["names"]] or list(CONSUMERS.values())
        if options["list"]:
            for one in chosen:
                self.stdout.write(f"{one.name:12} {one.what}")
        elif options["retry"]:
            for one in chosen:
                with said_plainly():
                    self.stdout.write(f"{one.name}: {retry(one)} events went through.")
        elif options["once"]:
            with said_plainly():
                while consume_each(chosen):
                    pass
        else:
            work(lambda: consume_each(chosen), idle_seconds=IDLE_SECONDS)

    def _consume_kafka(self, names: list[str]) -> None:
        if len(names) != 1 or not settings.KAFKA_BOOTSTRAP_SERVERS:
            raise CommandError("From Kafka reads one consumer: name it, and set KAFKA_BOOTSTRAP_SERVERS.")
        with KafkaSource(find(names[0]), settings.KAFKA_BOOTSTRAP_SERVERS) as source:
            work(source.step, idle_seconds=0)


def consume_each(consumers: Iterable[Consumer]) -> int:
    """
    Let each consumer take its next events; return how many they took.

    One that is halted, or whose cursor or effect is locked, holds up no other.

    :raises Halted, OperationalError, InterfaceError: where nobody else has anything left to do
    """
    done, failed = 0, None
    for consumer in consumers:
        try:
            done += consume(consumer)
        except TRANSIENT as error:
            failed = failed or error
            if not isinstance(error, Halted):
                connection.close()
    if failed and not done:
        raise failed
    return done


@contextmanager
def said_plainly() -> Iterator[None]:
    """
    Do what a command is for.

    :raises CommandError: where a consumer is halted, or the database fails, in their words
    """
    try:
        yield
    except TRANSIENT as error:
        raise CommandError(str(error).strip()) from error


def find(name: str) -> Consumer:
    if name not in CONSUMERS:
        raise CommandError(f"There is no consumer {name!r}. There are: {', '.join(sorted(CONSUMERS))}.")
    return CONSUMERS[name]
