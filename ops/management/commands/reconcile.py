"""Reconcile: compare ledger, payments, events and read models with each other."""

import sys
from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ops.reconciliation.models import ReconciliationRun
from ops.reconciliation.reporting import findings_of, represent_report
from ops.reconciliation.runs import ask_for, execute
from walletplatform.audit.actors import of_command

Kind, State = ReconciliationRun.Kind, ReconciliationRun.State


class Command(BaseCommand):
    help = (
        "Compare the ledger with itself, with payments, with what is told of them and with what consumers made of "
        "it: what the events since the last run have touched, or everything. The run and its findings stay on "
        "record. Exits with 0 where nothing differs and 1 where something does. Safe on a running platform."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--full", action="store_true", help="everything, instead of what is new since the last run")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = ask_for(actor=of_command(), kind=Kind.FULL if options["full"] else Kind.INCREMENTAL)
        columns = [TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bars: dict[str, TaskID] = {}

            def show(what: str, done: int, about: int | None) -> None:
                bar = bars.setdefault(what, progress.add_task(what.capitalize())) if what not in bars else bars[what]
                progress.update(bar, completed=done, total=max(done, about or 0))

            run = execute(asked.id, on_progress=show)
        if run.state not in (State.CLEAN, State.FINDINGS):
            raise CommandError(f"The run came to no end: {run.error or 'somebody else is at it.'}")
        self._tell(run, as_json=options["json"])
        if run.state == State.FINDINGS:
            sys.exit(1)

    def _tell(self, run: ReconciliationRun, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(orjson.dumps(represent_report(run), option=orjson.OPT_INDENT_2).decode())
            return
        found, _ = findings_of(run)
        table = Table("finding", "about", "expected", "actual", title=f"{run.get_kind_display()} reconciliation")
        for one in found[:50]:
            sides = [orjson.dumps(one.evidence[side]).decode() for side in ("expected", "actual")]
            table.add_row(one.kind, f"{one.subject_type} {one.subject_id}", *sides)
        if found:
            Console(file=sys.stdout).print(table)
        looked_at = ", ".join(f"{count} {what}" for what, count in run.checked.items())
        self.stdout.write(f"Events {run.from_position} to {run.to_position}; looked at: {looked_at}.")
        counted = ", ".join(f"{count} {kind}" for kind, count in run.found.items())
        self.stdout.write(f"Differences: {counted}." if counted else "Nothing differs.")
