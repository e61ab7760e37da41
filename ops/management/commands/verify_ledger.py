"""Check that the ledger is right, from the entries up."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ledger.verification import LEDGER_CHECKS, Finding, verify
from payments.verification import PAYMENT_CHECKS
from wallets.verification import WALLET_CHECKS

CHECKS = [*LEDGER_CHECKS, *WALLET_CHECKS, *PAYMENT_CHECKS]


class Command(BaseCommand):
    help = (
        "Check every promise about money that SQL can check, in one snapshot. Exits with 0 where all "
        "holds and 1 where something is found. Changes nothing; safe on a running platform."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=int, default=20, help="findings shown for each check (20)")

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(file=sys.stdout)
        table = Table("promise", "check", "findings", title="Ledger verification")
        findings: list[Finding] = []
        progress = Console(stderr=True)
        for check, found in track(verify(CHECKS), "Verifying", total=len(CHECKS), console=progress):
            table.add_row(check.promise, check.name, "[green]none" if not found else f"[red]{len(found)}")
            findings += found[: options["limit"]]
        console.print(table)
        for finding in findings:
            self.stdout.write(f"{finding.check.promise} {finding.subject}: {finding.detail}")
        if findings:
            self.stdout.write("The ledger is NOT right. Stop what moves money, and look at the places above.")
            sys.exit(1)
        self.stdout.write("The ledger is right.")
