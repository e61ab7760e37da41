"""Relay the event log to a broker."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from events.kafka import KafkaRelay, make_topics
from events.models import Cursor
from events.rabbitmq import RabbitRelay
from events.relaying import Relay, relay
from events.working import work

IDLE_SECONDS = 0.1


class Command(BaseCommand):
    help = """
Relay the event log to Kafka (KAFKA_BOOTSTRAP_SERVERS) or RabbitMQ (RABBITMQ_URL), in its order, until told
to stop.

  relay kafka            as `make run KAFKA=1` does
  relay rabbitmq         to the topic exchange walletplatform.events
  relay kafka --once     up to the end of the log, and end
  relay kafka --rewind   set it back to the first event, and end: an emptied broker is filled again

Two at once take turns.
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("broker", choices=[KafkaRelay.name, RabbitRelay.name])
        parser.add_argument("--once", action="store_true", help="up to the end of the log, and end")
        parser.add_argument("--rewind", action="store_true", help="begin anew with the first event, next time")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rewind"]:
            Cursor.objects.filter(name=options["broker"]).update(position=0)
            return
        broker = _kafka() if options["broker"] == KafkaRelay.name else _rabbitmq()
        if not options["once"]:
            work(lambda: relay(broker), idle_seconds=IDLE_SECONDS)
            return
        while relay(broker):
            pass


def _kafka() -> Relay:
    if not settings.KAFKA_BOOTSTRAP_SERVERS:
        raise CommandError("KAFKA_BOOTSTRAP_SERVERS is not set: host:port,host:port of the brokers.")
    make_topics(settings.KAFKA_BOOTSTRAP_SERVERS)
    return KafkaRelay(settings.KAFKA_BOOTSTRAP_SERVERS)


def _rabbitmq() -> Relay:
    if not settings.RABBITMQ_URL:
        raise CommandError("RABBITMQ_URL is not set: amqp://user:password@host:port/vhost.")
    return RabbitRelay(settings.RABBITMQ_URL)
