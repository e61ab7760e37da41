"""Send webhooks."""

import asyncio
import os
import signal
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.core.management.base import BaseCommand

from events.webhooks.sending import Sender

LANES = {"proven": True, "others": False}


class Command(BaseCommand):
    help = """
Send the events that clients' webhook endpoints wait for, until told to stop.

  webhooks                   to all of them
  webhooks --lane proven     to endpoints whose last attempt succeeded, as `make run` does
  webhooks --lane others     to the others, beside it: what they cost is not taken from the proven ones
  webhooks --once            what is due now, and end

`consume webhooks` makes the deliveries, this sends them. Several may run, and share the work.
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--lane", choices=LANES, help="send only to endpoints of this lane")
        parser.add_argument("--once", action="store_true", help="send what is due now, and end")

    def handle(self, *args: Any, **options: Any) -> None:
        lane = options["lane"]
        if lane == "others":
            os.nice(10)
        sender = Sender([LANES[lane]] if lane else list(LANES.values()))
        asyncio.run(self._run(sender, until_idle=options["once"]))

    async def _run(self, sender: Sender, *, until_idle: bool) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, sender.stopping.set)
        await sender.run(until_idle=until_idle)
