"""Create an asset, with its system accounts."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.db.transaction import atomic

from ledger.assets import create_asset
from ledger.models import Asset
from walletplatform.audit.actors import of_command
from walletplatform.audit.trail import record


class Command(BaseCommand):
    help = (
        "Create an asset that wallets can hold, with its treasury, bonus, revenue and other system "
        "accounts. Code and scale can never be changed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", help="2-16 capital letters, digits and _, for example EUR or GEM")
        parser.add_argument("--name", required=True, help='for people, for example "Euro"')
        parser.add_argument("--kind", required=True, choices=Asset.Kind.values)
        parser.add_argument("--scale", required=True, type=int, help="decimals, 0-8: EUR 2, JPY 0, GEM 0")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = {name: options[name] for name in ("code", "name", "kind", "scale")}
        try:
            with atomic():
                asset = create_asset(**wanted)
                record(
                    actor=of_command(), action="asset.create", object_type="asset", object_id=asset.code, after=wanted
                )
        except IntegrityError as error:
            reason = getattr(error.__cause__, "diag", None)
            broken = reason.constraint_name if reason else ""
            raise CommandError(
                f"There is an asset {options['code']} already."
                if broken == "assets_pkey"
                else f"The asset breaks the rule {broken}: see --help for code and scale."
            ) from error
        self.stdout.write(f"{asset.code} ({asset.name}) with {asset.scale} decimals is ready.")
