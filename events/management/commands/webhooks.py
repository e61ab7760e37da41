"""Send webhooks."""

import asyncio
import signal
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from events.webhooks.sending import Sender


class Command(BaseCommand):
    help = """
Send the events that clients' webhook endpoints wait for, until told to stop.

  webhooks          as `make run` does
  webhooks --once   what is due now, and end

`consume webhooks` makes the deliveries, this sends them. Several may run, and share the work.
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due now, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        asyncio.run(self._run(until_idle=options["once"]))

    async def _run(self, *, until_idle: bool) -> None:
        sender = Sender()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, sender.stopping.set)
        await sender.run(until_idle=until_idle)
