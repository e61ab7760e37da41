"""Webhooks in the console: where clients have events sent, and how each delivery went."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils.formats import localize
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.decorators import action, display

from events.lag import webhooks
from events.models import Event, WebhookDelivery, WebhookEndpoint
from events.webhooks.operating import redeliver, switch
from ledger.admin import ReadOnlyAdmin, link, listed
from ops.act_pages import ActingAdmin, ReasonForm
from walletplatform.audit.actors import of_staff
from walletplatform.identity.models import Client

SHOWN_ATTEMPTS = 50
STATE_COLOURS = {"PENDING": "info", "DELIVERED": "success", "DEAD": "danger"}
HEALTH_COLOURS = {"well": "success", "failing": "danger", "off": "warning", "removed": "warning", "new": "info"}


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ActingAdmin, ReadOnlyAdmin):
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
    actions_detail = ("mute", "enable")
    offered = {
        "mute": lambda endpoint: endpoint.enabled and not endpoint.deleted_at,
        "enable": lambda endpoint: not endpoint.enabled and not endpoint.deleted_at,
    }
    summary = ("health",)

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

    @action(description="Mute", url_path="mute", icon="notifications_off", permissions=["retry"])
    def mute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = (
            "Nothing is sent to this address any more. What waits for it waits on; what happens from now on does not"
            " go to it, unless its client asks for it later. The client sees it as switched off, and may switch it on."
        )
        return self._switch(request, object_id, on=False, title="Mute the endpoint", effect=effect)

    @action(description="Enable", url_path="enable", icon="notifications_active", permissions=["retry"])
    def enable(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "What waits is sent, and what happens from now on. It begins without failures."
        return self._switch(request, object_id, on=True, title="Enable the endpoint", effect=effect)

    def _switch(self, request: HttpRequest, object_id: str, *, on: bool, title: str, effect: str) -> HttpResponse:
        def act(endpoint: WebhookEndpoint, given: dict[str, Any]) -> str:
            switch(actor=of_staff(request.user), endpoint_id=endpoint.pk, on=on, reason=given["reason"])  # type: ignore[arg-type]
            return "The endpoint is enabled." if on else "The endpoint is muted."

        return self.act_page(request, object_id, ReasonForm, act, title=title, effect=effect)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("id", "shown_state", "event", "to", "attempts", "due", "created_at", "finished_at")
    list_select_related = ("endpoint",)
    ordering = ("-id",)
    id_lookups = ("pk", "endpoint_id")
    search_help_text = "The id of a delivery or endpoint"
    fields = ("id", "shown_state", "event", "to", "attempts", "due", "created_at", "finished_at", "tries")
    readonly_fields = ("shown_state", "event", "to", "due", "tries")
    actions_detail = ("redeliver",)
    offered = {"redeliver": lambda delivery: delivery.endpoint.enabled and not delivery.endpoint.deleted_at}
    summary = ("shown_state",)

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

    @action(description="Redeliver", url_path="redeliver", icon="replay", permissions=["retry"])
    def redeliver(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(delivery: WebhookDelivery, given: dict[str, Any]) -> str:
            redeliver(actor=of_staff(request.user), delivery_id=delivery.pk, reason=given["reason"])  # type: ignore[arg-type]
            return "It is sent again, now."

        effect = "The same event is sent to the same address again, with all of its tries before it."
        return self.act_page(request, object_id, ReasonForm, act, title="Redeliver", effect=effect)
