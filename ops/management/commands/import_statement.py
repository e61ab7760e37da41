"""Import a bank's or a provider's statement, and match it with the ledger."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from ops.approvals.refusing import Refused
from ops.statements.importing import import_file
from ops.statements.matching import match_source
from ops.statements.models import StatementSource
from ops.statements.reading import MOST_BYTES
from walletplatform.audit.actors import of_command


class Command(BaseCommand):
    help = (
        "Import a statement (CSV as the source's mapping says, or camt.053) and match its lines with the entries of "
        "the account that mirrors the source. A file that is not right is refused as a whole, with the line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--source", required=True, help="the source's name")

    def handle(self, *args: Any, **options: Any) -> None:
        source = StatementSource.objects.select_related("asset").filter(name=options["source"]).first()
        if source is None:
            known = ", ".join(StatementSource.objects.order_by("name").values_list("name", flat=True))
            raise CommandError(f"There is no such source. There are: {known or 'none'}.")
        file: Path = options["file"]
        try:
            if file.stat().st_size > MOST_BYTES:
                raise CommandError(f"A file has {MOST_BYTES // 1024**2} MiB at most.")
            content = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file}: {error.strerror}") from error
        columns = [SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()]
        with Progress(*columns, console=Console(stderr=True)) as progress:
            step = progress.add_task("Reading and keeping", total=None)
            try:
                statements = import_file(actor=of_command(), source=source, file_name=file.name, content=content)
            except Refused as refusal:
                raise CommandError(refusal.detail) from refusal
            progress.update(step, description="Matching")
            outcome = match_source(source.pk)
        for statement in statements:
            statement.refresh_from_db(fields=["matched"])
            self.stdout.write(f"{statement.number}: {statement.line_count} lines, {statement.matched} of them matched")
        self.stdout.write(
            f"Matched {outcome.lines} lines with {outcome.entries} entries; {outcome.exceptions} exceptions opened."
        )
