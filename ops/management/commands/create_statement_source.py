"""Make a source of statements."""

from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from ops.approvals.refusing import Refused
from ops.statements.models import MIRRORS, StatementSource
from ops.statements.sources import NewSource, make_source
from walletplatform.audit.actors import of_command


class Command(BaseCommand):
    help = (
        "Make a source of statements: an account at a bank or provider, and the system account that mirrors it. "
        'The mapping of a CSV names its columns: {"day": "Date", "amount": "Amount", "reference": "Reference"}.'
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--asset", required=True)
        parser.add_argument("--account", choices=MIRRORS, default="treasury", help="the account that mirrors it")
        parser.add_argument("--format", choices=StatementSource.Format.values, required=True)
        parser.add_argument("--mapping", default="{}", help="of a CSV, as JSON; docs/reconciliation.md has the names")
        parser.add_argument("--identifier", default="", help="the account's IBAN or number")
        parser.add_argument("--tolerance", type=int, default=0, help="minor units by which a pair may differ")
        parser.add_argument("--window", type=int, default=3, help="days by which a pair may differ")
        parser.add_argument("--patience", type=int, default=2, help="days before what has no counterpart is told")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            mapping = orjson.loads(options["mapping"])
        except orjson.JSONDecodeError as error:
            raise CommandError(f"The mapping is not JSON: {error}") from error
        if not isinstance(mapping, dict):
            raise CommandError("The mapping is a JSON object.")
        wanted = NewSource(
            name=options["name"], asset=options["asset"], account=options["account"], format=options["format"],
            mapping=mapping, identifier=options["identifier"], tolerance=options["tolerance"],
            window_days=options["window"], patience_days=options["patience"],
        )  # fmt: skip
        try:
            source = make_source(actor=of_command(), wanted=wanted)
        except Refused as refusal:
            raise CommandError(refusal.detail) from refusal
        self.stdout.write(f"{source.name}: {source.asset_id} {source.account.kind}, {source.get_format_display()}")
