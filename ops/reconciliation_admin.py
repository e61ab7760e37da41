"""Reconciliation in the console: each run with what it checked and found."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget

import ops.findings_admin  # noqa: F401 (it registers its page)
from ledger.admin import ReadOnlyAdmin, badge, identifier, listed
from ops.list_acts import list_act, told
from ops.reconciliation.kinds import kind_of
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.reconciliation.runs import ask_by
from ops.tasks import wake_reconciliation

COLOURS = {"Running": "info", "Clean": "success", "Findings": "danger", "Failed": "warning"}


class RunForm(forms.Form):
    kind = forms.ChoiceField(
        choices=[("incremental", "What is new since the last run"), ("full", "Everything")],
        widget=UnfoldAdminSelectWidget,
        help_text="Everything takes a minute for each million entries or so, beside the payments.",
    )


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "kind", "shown_state", "shown_found", "shown_checked", "took")
    ordering = ("-id",)
    search_help_text = "A run's id"
    actions_list = ("run_now",)
    fieldsets = (
        ("What came of it", {"fields": ("summary", "shown_kinds", "error", "truncated", "before_it")}),
        ("What it was", {"fields": ("id", "kind", "slot", "span", "tries", "started_at", "finished_at")}),
        ("Findings", {"fields": ("first_seen_by_it", "last_seen_by_it")}),
    )
    readonly_fields = ("summary", "shown_kinds", "before_it", "span", "first_seen_by_it", "last_seen_by_it")

    def has_run_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ops.run_reconciliation")

    @action(description="Run now", url_path="run-now", icon="play_arrow", permissions=["run"])
    def run_now(self, request: HttpRequest) -> HttpResponse:
        def act(given: dict[str, Any]) -> str:
            with transaction.atomic():
                run = ask_by(user=request.user, kind=given["kind"])  # type: ignore[arg-type]
                # Where nobody can be woken now, the next tick finds it.
                transaction.on_commit(wake_reconciliation, robust=True)
            page = reverse("admin:ops_reconciliationrun_change", args=[run.pk])
            return told(request, "A worker compares now: look at this page again in a moment.", page)

        return list_act(
            self, request, RunForm(request.POST or None), act, right="ops.run_reconciliation", title="Run now",
            effect="The ledger is compared with itself and with what is told of it. Nothing is changed by that, but "
            "wallets whose amounts are wrong are suspended where the platform is set to do so.",
        )  # fmt: skip

    @display(description="State", label=COLOURS)
    def shown_state(self, run: ReconciliationRun) -> str:
        return run.get_state_display()

    @admin.display(description="Events")
    def span(self, run: ReconciliationRun) -> str:
        return "" if run.to_position is None else f"{run.from_position} to {run.to_position}"

    @admin.display(description="Looked at")
    def shown_checked(self, run: ReconciliationRun) -> str:
        return ", ".join(f"{count:,} {what}" for what, count in run.checked.items())

    @admin.display(description="Found")
    def shown_found(self, run: ReconciliationRun) -> str:
        found = sum(run.found.values())
        if not found:
            return "nothing" if run.state == ReconciliationRun.State.CLEAN else ""
        first = next(iter(run.found))
        return kind_of(first).title + (f" and {found - 1} more" if found > 1 else "")

    @admin.display(description="Took")
    def took(self, run: ReconciliationRun) -> str:
        return "" if run.finished_at is None else f"{(run.finished_at - run.started_at).total_seconds():.1f} s"

    @admin.display(description="Summary")
    def summary(self, run: ReconciliationRun) -> SafeString:
        cards: list[tuple[str, SafeString | str]] = [
            ("State", badge(run.get_state_display(), COLOURS[run.get_state_display()]))
        ]
        cards += [("Findings", f"{sum(run.found.values()):,}")]
        cards += [(f"{what.capitalize()} looked at", f"{count:,}") for what, count in run.checked.items()]
        cards += [("Took", self.took(run) or "not finished")]
        return shown_cards(cards)

    @admin.display(description="Found by kind")
    def shown_kinds(self, run: ReconciliationRun) -> SafeString | str:
        rows = format_html_join(
            "", '<tr><td>{}<br><small>{}</small></td><td class="ops-figure">{}</td></tr>',
            ((kind_of(kind).title, kind, f"{count:,}") for kind, count in run.found.items()),
        )  # fmt: skip
        return (
            format_html('<table class="ops-postings"><tbody>{}</tbody></table>', rows) if rows else "Nothing differs."
        )

    @admin.display(description="The run of this kind before it")
    def before_it(self, run: ReconciliationRun) -> SafeString | str:
        before = ReconciliationRun.objects.filter(kind=run.kind, id__lt=run.id).order_by("-id").first()
        if before is None:
            return "There was none."
        more = sum(run.found.values()) - sum(before.found.values())
        change = f"{abs(more):,} {'more' if more > 0 else 'fewer'} here" if more else "as many here"
        return format_html(
            "{} {}: {} findings ({}), took {}", identifier(ReconciliationRun, before.pk),
            badge(before.get_state_display(), COLOURS[before.get_state_display()]), sum(before.found.values()), change,
            self.took(before) or "not finished",
        )  # fmt: skip

    @admin.display(description="First seen by it")
    def first_seen_by_it(self, run: ReconciliationRun) -> SafeString:
        return listed(Finding, "Show them", run_id=run.pk)

    @admin.display(description="Last seen by it")
    def last_seen_by_it(self, run: ReconciliationRun) -> SafeString:
        return listed(Finding, "Show them", last_run_id=run.pk)


def shown_cards(cards: list[tuple[str, SafeString | str]]) -> SafeString:
    """Figures beside each other, each under its name."""
    return format_html(
        '<div class="ops-cards">{}</div>',
        format_html_join("", '<div class="ops-card"><div>{}</div><strong>{}</strong></div>', cards),
    )
