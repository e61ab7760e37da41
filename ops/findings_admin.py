"""Findings in the console: what each means, both sides, and what people do about it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from events.models import Event
from ledger.admin import ReadOnlyAdmin, badge, identifier, link, shortened
from ledger.console.filters import choice
from ledger.models import Account, Asset, Entry, Transaction
from ops.act_pages import ActingAdmin
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from ops.looking_after import AGE_COLOURS, NoteForm, OwnerForm, Whose, age, history
from ops.reconciliation import handling
from ops.reconciliation.comparing import PROMISES
from ops.reconciliation.evidence import sides
from ops.reconciliation.kinds import kind_of
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.statements.models import Statement, StatementMatch
from payments.models import Payment
from wallets.models import Wallet

COLOURS = {"Open": "danger", "Explained": "warning", "Resolved": "success"}
PAGES: dict[str, type[Model]] = {
    "account": Account, "asset": Asset, "entry": Entry, "event": Event, "payment": Payment,
    "transaction": Transaction, "wallet": Wallet, "match": StatementMatch, "statement": Statement,
}  # fmt: skip


@admin.register(Finding)
class FindingAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("title", "shown_state", "subject", "difference", "shown_age", "shown_owner", "last_seen")
    list_filter = (choice("state", Finding.State.choices), Whose)
    views = (("Open", "state=OPEN"), ("Mine", "whose=me"), ("Nobody's", "state=OPEN&whose=nobody"))
    ordering = ("-id",)
    linked_by = ("run_id", "last_run_id")
    search_help_text = "The id of a finding, or of what it is about"
    fieldsets = (
        ("What it is", {"fields": ("title", "means", "what_to_do", "subject", "promise", "first_seen", "first_run",
                                   "last_seen", "latest_run")}),
        ("Both sides", {"fields": ("both_sides",)}),
        (
            "Resolution",
            {"fields": ("state_badge", "shown_owner", "note", "shown_age", "frozen_at", "requests", "steps")},
        ),
    )  # fmt: skip
    readonly_fields = (
        "title", "means", "what_to_do", "subject", "promise", "both_sides", "state_badge", "shown_owner", "shown_age",
        "first_run", "latest_run", "requests", "steps",
    )  # fmt: skip
    actions_detail = ("assign", "explain", "resolve", "propose_resolution")
    summary = ("shown_state", "title")
    offered = {
        "assign": lambda finding: finding.state != Finding.State.RESOLVED,
        "explain": lambda finding: finding.state == Finding.State.OPEN and not kind_of(finding.kind).serious,
        "resolve": lambda finding: finding.state != Finding.State.RESOLVED and not kind_of(finding.kind).serious,
        "propose_resolution": lambda finding: not handling.why_not_resolve(finding),
    }

    def has_handle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(handling.RIGHT)

    def has_propose_resolution_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(handling.RIGHT) and request.user.has_perm("ops.propose_approval")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        found, _ = super().get_search_results(request, queryset, term)
        return (found | queryset.filter(subject_id=term) if term else found), False

    @action(description="Assign", url_path="assign", icon="person", permissions=["handle"])
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(finding: Finding, given: dict[str, Any]) -> str:
            handling.assign(user=request.user, finding_id=finding.pk, owner=given["owner"])  # type: ignore[arg-type]
            return f"{given['owner']} looks after it." if given["owner"] else "Nobody looks after it."

        return self.act_page(
            request, object_id, OwnerForm, act, title="Assign", effect="Who looks after it is shown in the list.",
            initial=lambda finding: {"owner": finding.owner or request.user.get_username()},
        )  # fmt: skip

    @action(description="Explain", url_path="explain", icon="edit_note", permissions=["handle"])
    def explain(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(finding: Finding, given: dict[str, Any]) -> str:
            handling.explain(user=request.user, finding_id=finding.pk, note=given["reason"])  # type: ignore[arg-type]
            return "Explained."

        effect = "It is no longer counted as open. Where its evidence changes, it opens again."
        return self.act_page(request, object_id, NoteForm, act, title="Explain", effect=effect)

    @action(description="Resolve", url_path="resolve", icon="check", permissions=["handle"])
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(finding: Finding, given: dict[str, Any]) -> str:
            handling.resolve(user=request.user, finding_id=finding.pk, note=given["reason"])  # type: ignore[arg-type]
            return "Resolved."

        effect = "It is closed for good. Where the difference is still there, the next run opens another."
        return self.act_page(request, object_id, NoteForm, act, title="Resolve", effect=effect)

    @action(
        description="Propose resolution", url_path="propose-resolution", icon="check",
        permissions=["propose_resolution"],
    )  # fmt: skip
    def propose_resolution(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(finding: Finding, given: dict[str, Any]) -> str:
            propose(maker=request.user, action="finding.resolve", target_id=finding.pk, reason=given["reason"])  # type: ignore[arg-type]
            return "Proposed. Somebody else decides about it."

        effect = "Money may be wrong here: it is closed once somebody else agrees, on the evidence as it is now."
        return self.act_page(request, object_id, NoteForm, act, title="Propose resolution", effect=effect)

    @admin.display(description="Finding")
    def title(self, finding: Finding) -> SafeString:
        return format_html("{}<br><small>{}</small>", kind_of(finding.kind).title, finding.kind)

    @admin.display(description="What it means")
    def means(self, finding: Finding) -> str:
        return kind_of(finding.kind).means

    @admin.display(description="What to do")
    def what_to_do(self, finding: Finding) -> str:
        return kind_of(finding.kind).do

    @admin.display(description="Promise")
    def promise(self, finding: Finding) -> str:
        return PROMISES.get(finding.kind, "")

    @display(description="State", label=COLOURS)
    def shown_state(self, finding: Finding) -> str:
        return finding.get_state_display()

    @admin.display(description="State")
    def state_badge(self, finding: Finding) -> SafeString:
        return badge(finding.get_state_display(), COLOURS[finding.get_state_display()])

    @admin.display(description="About")
    def subject(self, finding: Finding) -> SafeString | str:
        page = PAGES.get(finding.subject_type)
        kind = finding.subject_type.capitalize()
        if page is None:
            return f"{kind} {finding.subject_id}"
        short = shortened(finding.subject_id) if len(finding.subject_id) == 36 else finding.subject_id
        return link(page, finding.subject_id, f"{kind} {short}")

    @admin.display(description="Differs in")
    def difference(self, finding: Finding) -> str:
        expected, actual = finding.evidence["expected"], finding.evidence["actual"]
        return ", ".join(
            name.replace("_", " ") for name in dict.fromkeys([*expected, *actual])
            if expected.get(name) != actual.get(name)
        )  # fmt: skip

    @admin.display(description="Evidence")
    def both_sides(self, finding: Finding) -> SafeString:
        rows = format_html_join(
            "",
            '<tr{}><th scope="row">{}</th><td class="ops-figure">{}</td><td class="ops-figure">{}</td></tr>',
            (
                (SafeString(' class="ops-differs"') if expected != actual else "", name, expected, actual)
                for name, expected, actual in sides(finding)
            ),
        )
        return format_html(
            '<div class="ops-scroll" tabindex="0"><table class="ops-postings"><thead><tr><th></th>'
            '<th class="ops-figure" scope="col">Expected</th><th class="ops-figure" scope="col">There</th></tr></thead>'
            "<tbody>{}</tbody></table></div>",
            rows,
        )

    @display(description="Age", label=AGE_COLOURS)
    def shown_age(self, finding: Finding) -> str:
        return age(finding.first_seen)

    @admin.display(description="Owner")
    def shown_owner(self, finding: Finding) -> str:
        return finding.owner or "nobody"

    @admin.display(description="First seen by")
    def first_run(self, finding: Finding) -> SafeString:
        return identifier(ReconciliationRun, finding.run_id)

    @admin.display(description="Last seen by")
    def latest_run(self, finding: Finding) -> SafeString:
        return identifier(ReconciliationRun, finding.last_run_id)

    @admin.display(description="Requests")
    def requests(self, finding: Finding) -> SafeString | str:
        found = Approval.objects.filter(target_id=finding.pk).order_by("-id")[:20]
        rows = ((identifier(Approval, one.pk), one.get_state_display().lower(), one.maker_name) for one in found)
        return format_html_join(SafeString("<br>"), "{}: {}, made by {}", rows) or "None."

    @admin.display(description="History")
    def steps(self, finding: Finding) -> SafeString | str:
        return history("finding", finding.pk)
