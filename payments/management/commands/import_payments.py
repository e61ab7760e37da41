"""Pay what a CSV file says."""

from __future__ import annotations

import csv
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from payments.importing import MAX_BYTES, Fault, Row, pay, read
from walletplatform.api.problems import Problem
from walletplatform.identity.models import Client
from walletplatform.identity.principal import Principal

SHOWN = 10


class Command(BaseCommand):
    help = """
Pay what a CSV file says, as a client system would over HTTP.

  kind,sender_wallet_id,receiver_wallet_id,wallet_id,amount,description,effective_at,idempotency_key
  transfer,0193...,0193...,,12.50,Order 7,,order-7
  topup,,,0193...,100.00,,,

Only amount is always needed. kind is transfer (with sender and receiver), topup, bonus or spend (with
wallet_id). Without idempotency_key a row's key is made from the file and its place.

The whole file is checked before anything is paid. Then each row is paid once: run it again after a stop,
and what was paid is not paid again. Rows that were refused (no funds, wallet suspended, ...) stand in the
report, and the exit code is 1.
""".strip()

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> Any:
        return super().create_parser(prog_name, subcommand, formatter_class=RawDescriptionHelpFormatter, **kwargs)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="the CSV file, in UTF-8")
        parser.add_argument("--client", required=True, help="the client system that pays: its name")
        parser.add_argument("--dry-run", action="store_true", help="say what would be refused; pay nothing")
        parser.add_argument("--report", type=Path, help="where to write the refusals (FILE.refused.csv)")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        report: Path = options["report"] or file.with_suffix(".refused.csv")
        if report.resolve() == file.resolve():
            raise CommandError("--report names the file itself: choose another.")
        rows, faults = read(_content(file), _principal(options["client"]))
        if faults:
            self._show(faults)
            raise CommandError(f"{len(faults)} faults in the file. Nothing was paid: mend the file and run it again.")
        refused = self._pay(rows, report, dry_run=options["dry_run"])
        done = "would be paid" if options["dry_run"] else "paid"
        self.stdout.write(f"{len(rows) - len(refused)} of {len(rows)} payments {done}.")
        if not refused:
            report.unlink()
            return
        self._show(refused)
        self.stdout.write(f"Refused: {len(refused)}. All of them, with reasons: {report}")
        sys.exit(1)

    def _pay(self, rows: Sequence[Row], report: Path, *, dry_run: bool) -> list[Fault]:
        """Pay, and write what was refused as it comes: a report that can't be written stops all before money moves."""
        refused: list[Fault] = []
        columns = [TextColumn("  Payments"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with _opened(report) as out, Progress(*columns) as progress:
            writer = csv.writer(out)
            writer.writerow(["line", "code", "detail"])
            task = progress.add_task("", total=len(rows))
            try:
                for done, faults in pay(rows, dry_run=dry_run):
                    writer.writerows((fault.line, fault.code, fault.detail) for fault in faults)
                    refused += faults
                    progress.advance(task, done)
            except Problem as problem:
                detail = f"{problem.detail} Run it again: what was paid is not paid twice. Refused so far: {report}"
                raise CommandError(detail) from problem
        return refused

    def _show(self, faults: Sequence[Fault]) -> None:
        for fault in faults[:SHOWN]:
            self.stdout.write(f"  line {fault.line}: {fault.code}: {fault.detail}")
        if len(faults) > SHOWN:
            self.stdout.write(f"  and {len(faults) - SHOWN} more")


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise CommandError(f"{file} is larger than {MAX_BYTES} bytes: cut it into parts.")
        return file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from error


def _principal(name: str) -> Principal:
    client = Client.objects.filter(name=name).first()
    if client is None:
        raise CommandError(f"There is no client {name!r}. create_client makes one.")
    if not client.active:
        raise CommandError(f"The client {name!r} is not active.")
    return client.principal()


def _opened(report: Path) -> TextIO:
    try:
        return report.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"The report {report} can't be written: {error.strerror}. Nothing was paid.") from error
