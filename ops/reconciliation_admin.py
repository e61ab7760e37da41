"""Reconciliation in the console: each run with what it checked, each finding with both sides."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from events.models import Event
from ledger.admin import ReadOnlyAdmin, link, listed
from ledger.models import Account, Asset, Entry, Transaction
from ops.reconciliation.comparing import PROMISES
from ops.reconciliation.models import Finding, ReconciliationRun
from payments.models import Payment
from wallets.models import Wallet

RUN_COLOURS = {"RUNNING": "info", "CLEAN": "success", "FINDINGS": "danger", "FAILED": "warning"}
FINDING_COLOURS = {"OPEN": "danger", "EXPLAINED": "warning", "RESOLVED": "success"}
PAGES: dict[str, type[Model]] = {
    "account": Account, "asset": Asset, "entry": Entry, "event": Event, "payment": Payment,
    "transaction": Transaction, "wallet": Wallet,
}  # fmt: skip


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "kind", "shown_state", "shown_found", "shown_checked", "span", "finished_at")
    ordering = ("-id",)
    search_help_text = "A run's id"
    fields = (
        "id", "kind", "shown_state", "error", "slot", "span", "shown_checked", "shown_found", "truncated", "tries",
        "started_at", "finished_at", "first_seen_by_it", "last_seen_by_it",
    )  # fmt: skip
    readonly_fields = ("shown_state", "span", "shown_checked", "shown_found", "first_seen_by_it", "last_seen_by_it")

    @display(description="State", label=RUN_COLOURS)
    def shown_state(self, run: ReconciliationRun) -> str:
        return run.state

    @admin.display(description="Events")
    def span(self, run: ReconciliationRun) -> str:
        return "" if run.to_position is None else f"{run.from_position} to {run.to_position}"

    @admin.display(description="Looked at")
    def shown_checked(self, run: ReconciliationRun) -> str:
        return _counted(run.checked)

    @admin.display(description="Found")
    def shown_found(self, run: ReconciliationRun) -> str:
        return _counted(run.found)

    @admin.display(description="Findings first seen")
    def first_seen_by_it(self, run: ReconciliationRun) -> SafeString:
        return listed(Finding, "Show them", run_id=run.pk)

    @admin.display(description="Findings last seen")
    def last_seen_by_it(self, run: ReconciliationRun) -> SafeString:
        return listed(Finding, "Show them", last_run_id=run.pk)


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ("kind", "shown_state", "subject", "shown_expected", "shown_actual", "owner", "last_seen")
    list_filter = ("state",)
    ordering = ("-id",)
    search_help_text = "The id of a finding, or of what it is about"
    fields = (
        "id", "kind", "promise", "shown_state", "subject", "both_sides", "owner", "note", "first_seen", "first_run",
        "last_seen", "latest_run",
    )  # fmt: skip
    readonly_fields = ("promise", "shown_state", "subject", "both_sides", "first_run", "latest_run")

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        return lookup in ("run_id", "last_run_id") or super().lookup_allowed(lookup, value, request)

    def get_search_results(self, request: Any, queryset: Any, search_term: str) -> tuple[Any, bool]:
        term = search_term.strip()
        found, _ = super().get_search_results(request, queryset, term)
        return (found | queryset.filter(subject_id=term) if term else found), False

    @admin.display(description="Promise")
    def promise(self, finding: Finding) -> str:
        return PROMISES.get(finding.kind, "")

    @display(description="State", label=FINDING_COLOURS)
    def shown_state(self, finding: Finding) -> str:
        return finding.state

    @admin.display(description="About")
    def subject(self, finding: Finding) -> SafeString | str:
        text = f"{finding.subject_type} {finding.subject_id}"
        page = PAGES.get(finding.subject_type)
        return text if page is None else link(page, finding.subject_id, text)

    @admin.display(description="Expected")
    def shown_expected(self, finding: Finding) -> str:
        return _counted(finding.evidence["expected"])

    @admin.display(description="Actual")
    def shown_actual(self, finding: Finding) -> str:
        return _counted(finding.evidence["actual"])

    @admin.display(description="Evidence (amounts in minor units)")
    def both_sides(self, finding: Finding) -> SafeString:
        expected, actual = finding.evidence["expected"], finding.evidence["actual"]
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            ((name, _text(expected, name), _text(actual, name)) for name in dict.fromkeys([*expected, *actual])),
        )
        head = SafeString("<tr><th></th><th>Expected</th><th>Actual</th></tr>")
        return format_html('<table class="ops-postings">{}{}</table>', head, rows)

    @admin.display(description="First seen by")
    def first_run(self, finding: Finding) -> SafeString:
        return _run(finding.run_id)

    @admin.display(description="Last seen by")
    def latest_run(self, finding: Finding) -> SafeString:
        return _run(finding.last_run_id)


def _run(run_id: UUID) -> SafeString:
    return link(ReconciliationRun, run_id)


def _counted(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _text(side: dict[str, Any], name: str) -> str:
    return str(side[name]) if name in side else ""
