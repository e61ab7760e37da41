"""Alerts in the console: what is wrong now, how it came about, who looks after it, and what people do about it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from ledger.admin import ReadOnlyAdmin, link
from ledger.console.filters import ChoiceFilter, WindowFilter, choice
from ops.act_pages import ActingAdmin, ReasonForm
from ops.alerts.forms import AssignForm, CommentForm, MuteForm, ResolveForm, SeenForm
from ops.alerts.handling import acknowledge, assign, comment, mute, resolve, version
from ops.alerts.models import Alert, AlertConfiguration, Notification, Severity
from ops.alerts.pages import subject_path, subject_words
from ops.alerts.preview import alert_chart
from ops.alerts.types import TYPES
from ops.approvals.refusing import Refused
from walletplatform.audit.actors import Actor, of_staff

SEVERITY_COLOURS = {"Critical": "danger", "Warning": "warning", "Info": "info"}
STATE_COLOURS = {"Pending": "danger", "Sent": "danger", "Acknowledged": "warning", "Resolved": "success"}
NOTIFICATION_COLOURS = {"WAITING": "info", "SENT": "success", "DEAD": "danger"}
MOST_AT_ONCE = 200


class StateFilter(ChoiceFilter):
    """Without a choice: what is open, acknowledged or not."""

    title = "state"
    parameters = ("state",)
    offered = (*Alert.State.choices, ("all", "All"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value is None:
            return queryset.filter(urgency__gt=0)
        return queryset if self.value == "all" else queryset.filter(state=self.value)


class OwnerFilter(ChoiceFilter):
    title = "owner"
    parameters = ("owner",)
    offered = (("me", "Me"), ("nobody", "Nobody"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value is None:
            return queryset
        return queryset.filter(owner_id=request.user.pk if self.value == "me" else None)


@admin.register(Alert)
class AlertAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = (
        "shown_severity", "shown_title", "shown_state", "about", "value", "occurrences", "first_seen", "owner",
    )  # fmt: skip
    list_display_links = ("shown_title",)
    list_filter = (
        StateFilter, choice("severity", Severity.choices), OwnerFilter,
        choice("type", [(name, known.title) for name, known in TYPES.items()]), WindowFilter,
    )  # fmt: skip
    ordering = ("-urgency", "-id")
    id_lookups = ("pk", "owner_id", "configuration_id", "subject_id")
    search_help_text = "The id of an alert, a rule, a person, or of what an alert is about"
    views = (
        ("Mine", "owner=me"),
        ("Critical", "severity=critical"),
        ("Resolved this week", "state=RESOLVED&window=7d"),
    )
    fields = (
        "rule", "about", "first_seen", "last_seen", "owner", "shown_mute", "shown_acknowledged", "shown_resolved",
        "note", "id",
    )  # fmt: skip
    readonly_fields = ("rule", "about", "owner", "shown_mute", "shown_acknowledged", "shown_resolved")
    change_form_outer_before_template = "admin/alert.html"
    change_form_outer_after_template = "admin/alert_history.html"
    actions: Any = ("acknowledge_selected",)
    summary = ("shown_severity", "shown_state")
    actions_detail = ("acknowledge", "assign", "mute", "comment", "resolve")
    offered = {
        "acknowledge": lambda alert: alert.state in (Alert.State.PENDING, Alert.State.SENT),
        "assign": lambda alert: alert.state != Alert.State.RESOLVED,
        "mute": lambda alert: alert.state != Alert.State.RESOLVED,
        "comment": lambda alert: True,
        "resolve": lambda alert: alert.state != Alert.State.RESOLVED,
    }
    export_columns = (
        ("alert", lambda alert: alert.id), ("severity", lambda alert: alert.severity),
        ("type", lambda alert: alert.type), ("title", lambda alert: alert.title),
        ("state", lambda alert: alert.state), ("value", lambda alert: alert.value),
        ("threshold", lambda alert: alert.threshold), ("about", subject_words),
        ("occurrences", lambda alert: alert.occurrences), ("first seen", lambda alert: alert.first_seen),
        ("last seen", lambda alert: alert.last_seen), ("owner", lambda alert: alert.owner_name),
        ("resolved at", lambda alert: alert.resolved_at), ("it was", lambda alert: alert.classification),
    )  # fmt: skip

    def has_handle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.handle_alert")

    def search_text(self, queryset: QuerySet[Alert], term: str) -> QuerySet[Alert]:
        return queryset.filter(subject_id=term)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        alert = self.get_object(request, unquote(object_id))
        context = {} if alert is None else {
            "alert": alert, "known": TYPES.get(alert.type),
            "severity_colour": SEVERITY_COLOURS[alert.get_severity_display()],
            "state_colour": STATE_COLOURS[alert.get_state_display()], "chart": alert_chart(alert),
            "steps": alert.steps.order_by("-id")[:50], "notified": _notified(alert),
            "subject_path": subject_path(alert), "subject_words": subject_words(alert),
        }  # fmt: skip
        shown = (extra_context or {}) | context
        return super().change_view(request, object_id, form_url, shown)  # type: ignore[no-any-return]

    def get_fields(self, request: HttpRequest, obj: Alert | None = None) -> Any:
        """Without what has nothing to say yet."""
        said = {
            "shown_mute": obj and obj.muted_until, "shown_acknowledged": obj and obj.acknowledged_at,
            "shown_resolved": obj and obj.resolved_at, "note": obj and obj.note,
        }  # fmt: skip
        return [name for name in self.fields if said.get(name, True)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        alerts: QuerySet[Alert] = super().get_queryset(request)
        return alerts.select_related("configuration")

    @display(description="Severity", label=SEVERITY_COLOURS)
    def shown_severity(self, alert: Alert) -> str:
        return alert.get_severity_display()

    @admin.display(description="What")
    def shown_title(self, alert: Alert) -> str:
        return alert.title

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, alert: Alert) -> str:
        return alert.get_state_display()

    @admin.display(description="About")
    def about(self, alert: Alert) -> SafeString | str:
        path = subject_path(alert)
        if not path:
            return subject_words(alert) or alert.asset or "The platform"
        words = subject_words(alert).partition(" ")
        return format_html('<a class="underline" href="{}">{} …{}</a>', path, words[0], words[2][-12:])

    @admin.display(description="Rule")
    def rule(self, alert: Alert) -> SafeString | str:
        rule = alert.configuration
        return link(AlertConfiguration, rule.pk, rule.name) if rule else "None: raised as it happened"

    @admin.display(description="Owner")
    def owner(self, alert: Alert) -> str:
        return alert.owner_name

    @admin.display(description="Muted until")
    def shown_mute(self, alert: Alert) -> str:
        return f"{alert.muted_until:%Y-%m-%d %H:%M} UTC" if alert.muted_until else ""

    @admin.display(description="Acknowledged")
    def shown_acknowledged(self, alert: Alert) -> str:
        at = alert.acknowledged_at
        return f"by {alert.acknowledged_by}, {at:%Y-%m-%d %H:%M} UTC" if at else ""

    @admin.display(description="Resolved")
    def shown_resolved(self, alert: Alert) -> str:
        if alert.resolved_at is None:
            return ""
        who = f"by {alert.resolved_by} as: {alert.get_classification_display()}" if alert.resolved_by else "by itself"
        return f"{who}, {alert.resolved_at:%Y-%m-%d %H:%M} UTC"

    @action(description="Acknowledge", url_path="acknowledge", icon="check", permissions=["handle"])
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(alert: Alert, given: dict[str, Any]) -> str:
            acknowledge(by=_who(request), alert_id=alert.pk, reason=given["reason"], seen=given["seen"])
            return "Acknowledged: you look after it."

        effect = "Everybody sees that somebody looks after it, and it is not escalated."
        return self.act_page(request, object_id, SeenForm, act, title="Acknowledge alert", effect=effect, initial=_seen)

    @action(description="Assign", url_path="assign", icon="person", permissions=["handle"])
    def assign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(alert: Alert, given: dict[str, Any]) -> str:
            to = given["person"]
            assign(by=_who(request), alert_id=alert.pk, to=to, reason=given["reason"], seen=given["seen"])
            return f"{to.username} looks after it."

        def mine(alert: Alert) -> dict[str, Any]:
            return _seen(alert) | {"person": request.user.username}

        effect = "Somebody looks after it, you or another."
        return self.act_page(request, object_id, AssignForm, act, title="Assign alert", effect=effect, initial=mine)

    @action(description="Mute", url_path="mute", icon="notifications_off", permissions=["handle"])
    def mute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(alert: Alert, given: dict[str, Any]) -> str:
            mute(by=_who(request), alert_id=alert.pk, hours=given["hours"], reason=given["reason"], seen=given["seen"])
            return f"Nobody is told about it for {given['hours']} hours."

        effect = "Nobody is told about it for a while, nor is it escalated. It stays on record."
        return self.act_page(request, object_id, MuteForm, act, title="Mute alert", effect=effect, initial=_seen)

    @action(description="Comment", url_path="comment", icon="chat", permissions=["handle"])
    def comment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(alert: Alert, given: dict[str, Any]) -> str:
            comment(by=_who(request), alert_id=alert.pk, text=given["comment"])
            return "It stands in the alert's history."

        effect = "Everybody who looks at the alert reads it. Nothing else about it changes."
        return self.act_page(request, object_id, CommentForm, act, title="Comment on alert", effect=effect)

    @action(description="Resolve", url_path="resolve", icon="done_all", permissions=["handle"])
    def resolve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(alert: Alert, given: dict[str, Any]) -> str:
            resolve(
                by=_who(request), alert_id=alert.pk, classification=given["classification"], note=given["reason"],
                seen=given["seen"],
            )  # fmt: skip
            return "Resolved."

        effect = "It is over. Where its condition lasts, the next evaluation opens another alert."
        return self.act_page(request, object_id, ResolveForm, act, title="Resolve alert", effect=effect, initial=_seen)

    @admin.action(description="Acknowledge", permissions=["handle"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> HttpResponse | None:
        """Ask for a reason, then acknowledge exactly what was selected, each for itself."""
        chosen = request.POST.getlist(ACTION_CHECKBOX_NAME)[:MOST_AT_ONCE]
        form = ReasonForm(request.POST if "apply" in request.POST else None)
        if form.is_valid():
            self._acknowledge(request, chosen, form.cleaned_data["reason"])
            return HttpResponseRedirect(request.get_full_path())
        alerts = list(queryset.filter(pk__in=chosen).order_by("-urgency", "-id"))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts, "title": f"Acknowledge {len(alerts)} alerts", "alerts": alerts, "form": form,
        }  # fmt: skip
        return TemplateResponse(request, "admin/alerts_acknowledge.html", context)

    def _acknowledge(self, request: HttpRequest, chosen: list[str], reason: str) -> None:
        done, by = 0, _who(request)
        for alert in Alert.objects.filter(pk__in=[UUID(pk) for pk in chosen]).order_by("id"):
            try:
                acknowledge(by=by, alert_id=alert.pk, reason=reason)
                done += 1
            except Refused as refusal:
                messages.warning(request, f"{alert.title}: {refusal.detail}")
        if done:
            messages.success(request, f"Acknowledged: {done} alert{'s' if done > 1 else ''}.")


def _who(request: HttpRequest) -> Actor:
    return of_staff(request.user)  # type: ignore[arg-type]


def _seen(alert: Alert) -> dict[str, Any]:
    return {"seen": version(alert)}


def _notified(alert: Alert) -> list[dict[str, Any]]:
    found = alert.notified.select_related("notification").order_by("-notification_id")[:50]
    return [
        {
            "word": one.get_word_display(), "to": one.notification.address,
            "channel": one.notification.get_channel_display(), "state": one.notification.get_state_display(),
            "colour": NOTIFICATION_COLOURS[one.notification.state], "tries": one.notification.tries,
            "error": one.notification.error, "at": one.notification.sent_at or one.notification.created_at,
            "dead": one.notification.state == Notification.State.DEAD,
        }
        for one in found
    ]  # fmt: skip
