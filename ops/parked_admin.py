"""Events that a consumer set aside, in the console: why, what waits behind each, and what to do next."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from events.consumers import CONSUMERS
from events.models import Event, ParkedEvent
from events.parked import act as act_on
from events.parked import before_it
from ledger.admin import ReadOnlyAdmin, badge, link
from ledger.console.filters import choice
from ops.act_pages import ActingAdmin, ReasonForm
from ops.jobs.queueing import enqueue
from walletplatform.audit.actors import of_staff

BEHIND = "parked.retry"
MEND = (
    "Mend what the error says, most often by a new version of the platform, then retry it. Later events of the same"
    " wallets wait until then, and this reader's figures lack them. Discard it only if it can never succeed."
)


def at_position(queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
    """The rows at a position that somebody typed; none where it is no position."""
    typed = term.isascii() and term.isdigit() and len(term) < 19
    return queryset.filter(position=int(term)) if typed else queryset.none()


def _failed(parked: ParkedEvent) -> bool:
    return bool(parked.error) and parked.consumer in CONSUMERS


@admin.register(ParkedEvent)
class ParkedEventAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("shown_id", "consumer", "event", "kind", "tries", "parked_at", "why")
    list_display_links = None
    ordering = ("-id",)
    search_help_text = "A position in the log"
    fields = ("reader", "badge", "why", "next_step", "event", "behind", "tries", "parked_at")
    readonly_fields = ("reader", "badge", "why", "next_step", "event", "behind")
    actions_detail = ("retry", "discard")
    offered = {"retry": _failed, "discard": _failed}
    summary = ("why",)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return (choice("consumer", [(name, name) for name in sorted(CONSUMERS)], title="reader"),)

    def search_text(self, queryset: QuerySet[ParkedEvent], term: str) -> QuerySet[ParkedEvent]:
        return at_position(queryset, term)

    @admin.display(description="Set aside")
    def shown_id(self, parked: ParkedEvent) -> SafeString:
        return link(ParkedEvent, parked.pk, f"No. {parked.pk}")

    @admin.display(description="Event")
    def event(self, parked: ParkedEvent) -> SafeString:
        return link(Event, parked.position)

    @display(description="State", label={"Failed": "danger", "Waits": "info"})
    def kind(self, parked: ParkedEvent) -> str:
        return "Failed" if parked.error else "Waits"

    @admin.display(description="State")
    def badge(self, parked: ParkedEvent) -> SafeString:
        return badge("Failed", "danger") if parked.error else badge("Waits", "info")

    @admin.display(description="Why")
    def why(self, parked: ParkedEvent) -> str:
        return parked.error or "It waits for an earlier event of the same payment or wallet."

    @admin.display(description="Reader")
    def reader(self, parked: ParkedEvent) -> str:
        known = CONSUMERS.get(parked.consumer)
        return f"{parked.consumer}: {known.what}" if known else f"{parked.consumer}: there is no such reader any more"

    @admin.display(description="Waiting behind it")
    def behind(self, parked: ParkedEvent) -> str:
        later = ParkedEvent.objects.filter(consumer=parked.consumer, position__gt=parked.position, error="")
        waiting = later.filter(keys__overlap=parked.keys)[:1000].count()
        return f"{waiting} events" if waiting != 1 else "1 event"

    @admin.display(description="What to do")
    def next_step(self, parked: ParkedEvent) -> SafeString | str:
        if parked.error:
            return MEND
        consumer, event = CONSUMERS.get(parked.consumer), Event.objects.get(position=parked.position)
        first = before_it(consumer, event).order_by("position").first() if consumer else None
        return (
            link(ParkedEvent, first.pk, "See to the earlier one first") if first else "It goes on with the next retry."
        )

    @action(description="Retry", url_path="retry", icon="replay", permissions=["retry"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = "The reader takes it once more, now, and those that wait behind it next."
        return self._act(request, object_id, discard=False, title="Retry the event", effect=effect)

    @action(description="Discard", url_path="discard", icon="delete", permissions=["retry"])
    def discard(self, request: HttpRequest, object_id: str) -> HttpResponse:
        effect = (
            "The reader goes on without this event for good: what it makes lacks it, until it is rebuilt from the"
            " first event on. The event itself stays in the log, and money is not touched."
        )
        return self._act(request, object_id, discard=True, title="Discard the event", effect=effect)

    def _act(self, request: HttpRequest, object_id: str, *, discard: bool, title: str, effect: str) -> HttpResponse:
        def act(parked: ParkedEvent, given: dict[str, Any]) -> str:
            gone = act_on(
                actor=of_staff(request.user),  # type: ignore[arg-type]
                parked_id=parked.pk, discard=discard, reason=given["reason"],
                then=lambda consumer: enqueue(BEHIND, {"consumer": consumer}),
            )  # fmt: skip
            if discard:
                return "It is discarded. What waited behind it goes on."
            return "It went through. What waited behind it goes on." if gone else "It failed again; see the error."

        return self.act_page(request, object_id, ReasonForm, act, title=title, effect=effect)

    def page_of(self, target: Model) -> str:
        # Its own page goes with it.
        if ParkedEvent.objects.filter(pk=target.pk).exists():
            return str(super().page_of(target))
        return reverse("admin:events_parkedevent_changelist")
