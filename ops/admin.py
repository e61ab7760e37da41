"""Events in the console: the log, who reads it, and what was set aside."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib import admin
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

import ops.acts_admin
import ops.alert_rules_admin
import ops.alerts_admin
import ops.approvals_admin
import ops.audit_admin
import ops.clients_admin
import ops.console.holds_admin
import ops.jobs_admin
import ops.parked_admin
import ops.people_admin
import ops.reconciliation_admin
import ops.schedules_admin
import ops.statements_admin
import ops.summaries_admin
import ops.webhook_admin  # noqa: F401 (each registers its pages)
from events.envelope import envelope
from events.lag import lag
from events.models import Cursor, Event, ParkedEvent
from ledger.admin import ReadOnlyAdmin, link, listed
from ops.parked_admin import at_position
from payments.models import Payment
from wallets.models import Wallet


def _subject(event: Event) -> SafeString:
    return link(Wallet if event.type.startswith("wallet.") else Payment, event.subject)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("position", "type", "subject_link", "asset", "time", "correlation_id")
    ordering = ("-position",)
    id_lookups = ("subject",)
    search_help_text = "A position in the log, or the id of a payment or wallet"
    fields = ("position", "type", "subject_link", "asset", "time", "sequenced_at", "correlation_id", "shown")
    readonly_fields = ("subject_link", "shown")

    def search_text(self, queryset: QuerySet[Event], term: str) -> QuerySet[Event]:
        return at_position(queryset, term)

    @admin.display(description="About")
    def subject_link(self, event: Event) -> SafeString:
        return _subject(event)

    @admin.display(description="As it is told")
    def shown(self, event: Event) -> SafeString:
        text = orjson.dumps(orjson.loads(envelope(event)), option=orjson.OPT_INDENT_2).decode()
        return format_html('<pre class="whitespace-pre-wrap text-xs">{}</pre>', text)


@admin.register(Cursor)
class CursorAdmin(ReadOnlyAdmin):
    list_display = ("name", "position", "behind", "parked", "moved_at")
    list_display_links = None
    ordering = ("name",)
    list_before_template = "admin/outbox.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, (extra_context or {}) | {"lag": lag()})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        end = Event.objects.order_by("-position").values("position")[:1]
        aside = ParkedEvent.objects.filter(consumer=OuterRef("name")).order_by().values("consumer")
        cursors: QuerySet[Any] = super().get_queryset(request)
        counted: QuerySet[Any] = cursors.annotate(
            behind=Coalesce(Subquery(end), 0) - F("position"),
            parked=Coalesce(Subquery(aside.annotate(n=Count("pk")).values("n")), 0),
        )
        return counted

    @admin.display(description="Events behind")
    def behind(self, cursor: Any) -> int:
        return int(cursor.behind)

    @admin.display(description="Set aside")
    def parked(self, cursor: Any) -> SafeString | int:
        return listed(ParkedEvent, cursor.parked, consumer=cursor.name) if cursor.parked else 0
