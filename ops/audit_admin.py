"""The audit trail in the console, to be read."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from events.models import WebhookEndpoint
from ledger.admin import ReadOnlyAdmin, link
from ledger.console.filters import during, of_text
from ledger.models import Asset
from ops.approvals.models import Approval
from ops.reconciliation.models import Finding, ReconciliationRun
from ops.statements.models import Statement, StatementException, StatementSource
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client, User
from wallets.models import Wallet

PAGES = {
    "approval": Approval, "asset": Asset, "client": Client, "group": Group, "user": User, "wallet": Wallet,
    "webhook_endpoint": WebhookEndpoint, "finding": Finding, "reconciliation": ReconciliationRun,
    "statement": Statement, "statement_exception": StatementException, "statement_source": StatementSource,
}  # fmt: skip


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "action", "about", "actor", "reason", "address", "request_id")
    list_filter = (of_text("action"), during("at"))
    views = (("Last 24 hours", "window=24h"), ("Exports", "action=list.export"))
    ordering = ("-at", "-id")
    search_help_text = "The id of an object, a person or client by id or name, or a request's id"
    fields = (
        "id", "at", "action", "about", "actor", "actor_id", "reason", "request_id", "address", "was", "became",
    )  # fmt: skip
    readonly_fields = ("at", "about", "actor", "was", "became")
    export_columns = (
        ("at", lambda entry: entry.at),
        ("action", lambda entry: entry.action),
        ("object type", lambda entry: entry.object_type),
        ("object", lambda entry: entry.object_id),
        ("by", lambda entry: entry.actor_name),
        ("by id", lambda entry: entry.actor_id),
        ("kind", lambda entry: entry.actor_kind),
        ("reason", lambda entry: entry.reason),
        ("address", lambda entry: entry.address),
        ("request", lambda entry: entry.request_id),
        ("before", lambda entry: json.dumps(entry.before, ensure_ascii=False) if entry.before else ""),
        ("after", lambda entry: json.dumps(entry.after, ensure_ascii=False) if entry.after else ""),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        anywhere = Q(object_id=term) | Q(actor_name=term) | Q(request_id=term)
        try:
            # A request's id may look like a UUID too, but is kept as it came.
            wanted = UUID(term)
        except ValueError:
            return queryset.filter(anywhere), False
        return queryset.filter(anywhere | Q(object_id=str(wanted)) | Q(actor_id=wanted)), False

    @admin.display(description="About")
    def about(self, entry: AuditEntry) -> SafeString | str:
        page = PAGES.get(entry.object_type)
        kind = entry.object_type.replace("_", " ")
        return format_html("{} {}", kind, link(page, entry.object_id)) if page else f"{kind} {entry.object_id}"

    @admin.display(description="By")
    def actor(self, entry: AuditEntry) -> str:
        return f"{entry.actor_name or entry.actor_id or 'unknown'} ({entry.get_actor_kind_display().lower()})"

    @admin.display(description="Before")
    def was(self, entry: AuditEntry) -> SafeString | str:
        return _shown(entry.before)

    @admin.display(description="After")
    def became(self, entry: AuditEntry) -> SafeString | str:
        return _shown(entry.after)


def _shown(state: dict[str, Any] | None) -> SafeString | str:
    if state is None:
        return ""
    text = json.dumps(state, indent=2, sort_keys=True, ensure_ascii=False)
    return format_html('<pre class="whitespace-pre-wrap text-xs">{}</pre>', text)
