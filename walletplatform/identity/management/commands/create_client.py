"""Create a client system and show its secret, once."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from walletplatform.audit.actors import of_command
from walletplatform.identity.clients import create_client
from walletplatform.identity.scopes import SCOPES


class Command(BaseCommand):
    help = "Create a client system that may use the API, and show its secret. The secret is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        known = "; ".join(f"{scope}: {meaning}" for scope, meaning in SCOPES.items())
        parser.add_argument("name", help="a unique name, for example shop")
        parser.add_argument("--scopes", required=True, help=f"separated by commas. {known}")
        parser.add_argument("--assets", help="asset codes separated by commas; all assets where left out")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        scopes = _names(options["scopes"])
        if not scopes:
            raise CommandError(f"Name the client's scopes. Known: {', '.join(SCOPES)}.")
        if unknown := [scope for scope in scopes if scope not in SCOPES]:
            raise CommandError(f"No such scope: {', '.join(unknown)}. Known: {', '.join(SCOPES)}.")
        assets = None if options["assets"] is None else _names(options["assets"])
        if assets == []:
            raise CommandError("Name the client's assets, or leave --assets out for all of them.")
        try:
            client, secret = create_client(name=options["name"], scopes=scopes, assets=assets, actor=of_command())
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        if options["json"]:
            self.stdout.write(json.dumps({"client_id": str(client.id), "client_secret": secret}))
            return
        self.stdout.write(f"client_id      {client.id}")
        self.stdout.write(f"client_secret  {secret}   (shown this once)")
        self.stdout.write(f"scopes         {', '.join(scopes)}")
        self.stdout.write(f"assets         {', '.join(assets) if assets else 'all'}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
