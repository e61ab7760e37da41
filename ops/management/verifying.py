"""What the verifying commands share: run checks in one snapshot, show a table, end with 1 where anything is found."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.progress import track
from rich.table import Table

from ledger.verification import Check, Finding, verify


class VerifyingCommand(BaseCommand):
    title: ClassVar[str]
    right: ClassVar[str]
    wrong: ClassVar[str]

    def checks(self) -> Sequence[Check]:
        raise NotImplementedError

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--limit", type=_count, default=20, help="findings shown for each check (20)")

    def handle(self, *args: Any, **options: Any) -> None:
        checks = self.checks()
        console = Console(file=sys.stdout)
        table = Table("promise", "check", "findings", title=self.title)
        shown: list[Finding] = []
        right = True
        progress = Console(stderr=True)
        for check, found in track(verify(checks), "Verifying", total=len(checks), console=progress):
            table.add_row(check.promise, check.name, "[green]none" if not found else f"[red]{len(found)}")
            shown += found[: options["limit"]]
            right = right and not found
        console.print(table)
        for finding in shown:
            self.stdout.write(f"{finding.check.promise} {finding.subject}: {finding.detail}")
        self.stdout.write(self.right if right else self.wrong)
        if not right:
            sys.exit(1)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ArgumentTypeError("a whole number from 0 on")
    return int(text)
