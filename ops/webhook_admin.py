"""Webhooks in the console: where clients have events sent, and how each delivery went."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.decorators import display

from events.lag import webhooks
from events.models import Event, WebhookDelivery, WebhookEndpoint
from ledger.admin import ReadOnlyAdmin, link, listed
from walletplatform.identity.models import Client

SHOWN_ATTEMPTS = 50
STATE_COLOURS = {"PENDING": "info", "DELIVERED": "success", "DEAD": "danger"}
HEALTH_COLOURS = {"well": "success", "failing": "danger", "off": "warning", "removed": "warning", "new": "info"}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnlyAdmin):
    list_display = ("short_url", "client", "shown_types", "health", "failures", "succeeded_at", "created_at")
    ordering = ("-id",)
    id_lookups = ("pk", "client_id")
    search_help_text = "The id of an endpoint or client"
    list_before_template = "admin/webhooks.html"
    fields = (
        "id", "url", "description", "client", "shown_types", "assets", "health", "disabled_reason", "failures",
        "paused_until", "succeeded_at", "former_until", "after", "created_at", "its_deliveries",
    )  # fmt: skip
    readonly_fields = ("client", "shown_types", "health", "its_deliveries")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, (extra_context or {}) | {"webhooks": webhooks()})

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        named = Client.objects.filter(pk=OuterRef("client_id")).values("name")
        endpoints: QuerySet[Any] = super().get_queryset(request).annotate(client_name=Subquery(named))
        return endpoints

    @admin.display(description="Address")
    def short_url(self, endpoint: WebhookEndpoint) -> str:
        parts = urlsplit(endpoint.url)
        return f"{parts.netloc}{parts.path}"[:60]

    @admin.display(description="Client")
    def client(self, endpoint: Any) -> SafeString | str:
        # One that an outside issuer vouches for has no row here.
        return link(Client, endpoint.client_id, endpoint.client_name) if endpoint.client_name else endpoint.client_id

    @admin.display(description="Events")
    def shown_types(self, endpoint: WebhookEndpoint) -> str:
        return ", ".join(endpoint.types) or "all"

    @display(description="State", label=HEALTH_COLOURS)
    def health(self, endpoint: WebhookEndpoint) -> str:
        if endpoint.deleted_at:
            return "removed"
        if not endpoint.enabled:
            return "off"
        if endpoint.failures:
            return "failing"
        return "well" if endpoint.succeeded_at else "new"

    @admin.display(description="Deliveries")
    def its_deliveries(self, endpoint: WebhookEndpoint) -> SafeString:
        return listed(WebhookDelivery, "Show them", q=endpoint.pk)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    list_display = ("id", "shown_state", "event", "to", "attempts", "due", "created_at", "finished_at")
    list_select_related = ("endpoint",)
    ordering = ("-id",)
    id_lookups = ("pk", "endpoint_id")
    search_help_text = "The id of a delivery or endpoint"
    fields = ("id", "shown_state", "event", "to", "attempts", "due", "created_at", "finished_at", "tries")
    readonly_fields = ("shown_state", "event", "to", "due", "tries")

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, delivery: WebhookDelivery) -> str:
        return delivery.state

    @admin.display(description="Event")
    def event(self, delivery: WebhookDelivery) -> SafeString | str:
        return "a test" if delivery.position is None else link(Event, delivery.position)

    @admin.display(description="To")
    def to(self, delivery: WebhookDelivery) -> SafeString:
        return link(WebhookEndpoint, delivery.endpoint_id, urlsplit(delivery.endpoint.url).netloc)

    @admin.display(description="Next attempt")
    def due(self, delivery: WebhookDelivery) -> str:
        return localize(localtime(delivery.due_at)) if delivery.state == "PENDING" else ""

    @admin.display(description="Attempts made")
    def tries(self, delivery: WebhookDelivery) -> SafeString | str:
        tried = list(delivery.tried.order_by("-number")[:SHOWN_ATTEMPTS])
        if not tried:
            return "none yet"
        rows = format_html_join(
            "",
            "<tr><td>{}</td><td>{}</td><td>{} ms</td><td>{}</td><td>{}</td></tr>",
            (
                (
                    one.number,
                    localize(localtime(one.started_at)),
                    one.milliseconds,
                    one.status or "",
                    one.error or one.answer,
                )
                for one in tried
            ),
        )
        head = "<tr><th>No.</th><th>At</th><th>Took</th><th>Status</th><th>Answer</th></tr>"
        return format_html('<table class="ops-postings">{}{}</table>', SafeString(head), rows)
