"""Create a client system and show its secret, once."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.transaction import atomic

from walletplatform.audit.actors import of_command
from walletplatform.audit.trail import record
from walletplatform.identity.models import Client
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
        if Client.objects.filter(name=options["name"]).exists():
            raise CommandError(f"There is a client {options['name']} already. Choose another name.")
        assets = None if options["assets"] is None else _names(options["assets"])
        if assets == []:
            raise CommandError("Name the client's assets, or leave --assets out for all of them.")
        client = Client(name=options["name"], scopes=scopes, assets=assets)
        secret = client.new_secret()
        try:
            client.clean_fields(exclude={"assets"} if assets is None else None)
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        with atomic():
            client.save()
            record(
                actor=of_command(),
                action="client.create",
                object_type="client",
                object_id=client.pk,
                after={"name": client.name, "scopes": scopes, "assets": assets},
            )
        if options["json"]:
            self.stdout.write(json.dumps({"client_id": str(client.id), "client_secret": secret}))
            return
        self.stdout.write(f"client_id      {client.id}")
        self.stdout.write(f"client_secret  {secret}   (shown this once)")
        self.stdout.write(f"scopes         {', '.join(scopes)}")
        self.stdout.write(f"assets         {', '.join(assets) if assets else 'all'}")


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
