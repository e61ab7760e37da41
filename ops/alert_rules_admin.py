"""Alert rules in the console: what each watches, what it would have done, whom it tells; made and changed here."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from ledger import clock
from ledger.admin import ReadOnlyAdmin, listed
from ledger.console.filters import choice
from ops.act_pages import ActingAdmin, ReasonForm
from ops.alerts.configuring import Invalid, change_rule, create_rule, drafted, mute_rule, send_test
from ops.alerts.doubts import doubts
from ops.alerts.forms import DAYS, MuteForm, RuleForm
from ops.alerts.models import Alert, AlertConfiguration, Severity
from ops.alerts.preview import Preview, chart, preview
from ops.alerts.reading import AlertType
from ops.alerts.telling import slack_host
from ops.alerts.types import TYPES
from ops.approvals.refusing import Refused
from walletplatform.audit.actors import Actor, of_staff

SEVERITY_COLOURS = {"Critical": "danger", "Warning": "warning", "Info": "info"}
STATE_COLOURS = {"On": "success", "Muted": "warning", "Off": "neutral"}
USUAL = {
    "severity": "warning", "minimum_volume": 0, "window_minutes": 15, "cooldown_minutes": 60, "resolve_after": 2,
    "from_hour": 0, "to_hour": 24, "enabled": True,
}  # fmt: skip


@admin.register(AlertConfiguration)
class AlertConfigurationAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("name", "shown_type", "condition", "shown_severity", "shown_state", "tells", "told_at")
    list_filter = (
        choice("severity", Severity.choices), choice("type", [(name, one.title) for name, one in TYPES.items()]),
    )  # fmt: skip
    ordering = ("name",)
    search_help_text = "The id or the name of a rule"
    fields = (
        "shown_type", "condition", "asset", "shown_severity", "shown_state", "tells", "escalates", "cooldown", "ends",
        "schedule", "told_at", "alerts", "version", "updated_at", "id",
    )  # fmt: skip
    readonly_fields = (
        "shown_type", "condition", "shown_severity", "shown_state", "tells", "escalates", "cooldown", "ends",
        "schedule", "alerts",
    )  # fmt: skip
    change_form_outer_before_template = "admin/alert_rule.html"
    summary = ("condition", "shown_state")
    actions_list = ("new_rule",)
    actions_detail = ("change_rule", "test", "mute", "unmute")
    offered = {
        "change_rule": lambda rule: rule.type in TYPES,
        "test": lambda rule: bool(rule.recipients or rule.slack_url or rule.escalation_recipients),
        "mute": lambda rule: not _muted(rule),
        "unmute": lambda rule: _muted(rule),
    }

    def has_configure_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.configure_alert")

    def search_text(self, queryset: Any, term: str) -> Any:
        return queryset.filter(name=term)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        rule = self.get_object(request, unquote(object_id))
        context = _previewed(rule) if rule is not None and rule.type in TYPES else {}
        shown = (extra_context or {}) | context
        return super().change_view(request, object_id, form_url, shown)  # type: ignore[no-any-return]

    @admin.display(description="Watches")
    def shown_type(self, rule: AlertConfiguration) -> str:
        return TYPES[rule.type].title if rule.type in TYPES else rule.type

    @admin.display(description="Alerts")
    def condition(self, rule: AlertConfiguration) -> str:
        known = TYPES.get(rule.type)
        if known is None:
            return "never: nothing knows this type"
        words = f"{'below' if known.below else 'from'} {known.told(rule.threshold, rule.asset)}"
        words += f" in {rule.window_minutes} min" if known.has_window else ""
        return words + (f", of {rule.minimum_volume} or more" if known.has_volume and rule.minimum_volume else "")

    @display(description="Severity", label=SEVERITY_COLOURS)
    def shown_severity(self, rule: AlertConfiguration) -> str:
        return rule.get_severity_display()

    @display(description="State", label=STATE_COLOURS)
    def shown_state(self, rule: AlertConfiguration) -> str:
        return ("Muted" if _muted(rule) else "On") if rule.enabled else "Off"

    @admin.display(description="Tells")
    def tells(self, rule: AlertConfiguration) -> str:
        told = [*rule.recipients, *([f"Slack ({slack_host(rule)})"] if rule.slack_url else [])]
        return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "") or "Nobody"

    @admin.display(description="Escalates")
    def escalates(self, rule: AlertConfiguration) -> str:
        if rule.escalate_after_minutes is None or not rule.escalation_recipients:
            return "Never"
        return f"after {rule.escalate_after_minutes} min to {', '.join(rule.escalation_recipients)}"

    @admin.display(description="Cooldown")
    def cooldown(self, rule: AlertConfiguration) -> str:
        return f"{rule.cooldown_minutes} min" if rule.cooldown_minutes else "None"

    @admin.display(description="Ends")
    def ends(self, rule: AlertConfiguration) -> str:
        return f"after {rule.resolve_after} evaluation{'s' if rule.resolve_after > 1 else ''} without it"

    @admin.display(description="Evaluated")
    def schedule(self, rule: AlertConfiguration) -> str:
        days = ", ".join(name for day, name in DAYS if day in rule.weekdays) or "Every day"
        whole = rule.from_hour == 0 and rule.to_hour == 24
        return days + ("" if whole else f", {rule.from_hour}:00 to {rule.to_hour}:00 UTC") + ", every 5 minutes"

    @admin.display(description="Alerts")
    def alerts(self, rule: AlertConfiguration) -> SafeString:
        return listed(Alert, "All alerts of this rule", q=rule.pk, state="all")

    @action(description="New rule", url_path="new", icon="add", permissions=["configure"])
    def new_rule(self, request: HttpRequest) -> HttpResponse:
        """Choose a type, then say the rest."""
        known = TYPES.get(request.GET.get("type", ""))
        if known is None:
            context = {
                **self.admin_site.each_context(request), "opts": self.opts, "title": "New alert rule",
                "types": TYPES.values(),
            }  # fmt: skip
            return TemplateResponse(request, "admin/alert_rule_types.html", context)
        return self._form(request, known, None)

    @action(description="Change", url_path="change-rule", icon="tune", permissions=["configure"])
    def change_rule(self, request: HttpRequest, object_id: str) -> HttpResponse:
        rule = self.target(request, object_id)
        if rule.type not in TYPES:
            raise Http404
        return self._form(request, TYPES[rule.type], rule)

    @action(description="Send a test", url_path="test", icon="outgoing_mail", permissions=["configure"])
    def test(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(rule: AlertConfiguration, given: dict[str, Any]) -> str:
            sent = send_test(by=_who(request), rule_id=rule.pk, reason=given["reason"])
            return f"On its way to: {', '.join(one.address for one in sent)}."

        effect = "Everybody whom the rule tells gets a message that says it is a test."
        return self.act_page(request, object_id, ReasonForm, act, title="Send a test", effect=effect)

    @action(description="Mute", url_path="mute", icon="notifications_off", permissions=["configure"])
    def mute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(rule: AlertConfiguration, given: dict[str, Any]) -> str:
            mute_rule(by=_who(request), rule_id=rule.pk, hours=given["hours"], reason=given["reason"])
            return f"Nobody is told by this rule for {given['hours']} hours."

        effect = "Nobody is told by this rule for a while. What it finds stays on record, and is told afterwards."
        return self.act_page(request, object_id, MuteForm, act, title="Mute rule", effect=effect)

    @action(description="Unmute", url_path="unmute", icon="notifications", permissions=["configure"])
    def unmute(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(rule: AlertConfiguration, given: dict[str, Any]) -> str:
            mute_rule(by=_who(request), rule_id=rule.pk, hours=0, reason=given["reason"])
            return "People are told by this rule again."

        effect = "People are told by this rule again, with the next evaluation."
        return self.act_page(request, object_id, ReasonForm, act, title="Unmute rule", effect=effect)

    def _form(self, request: HttpRequest, known: AlertType, rule: AlertConfiguration | None) -> HttpResponse:
        """Show the form; posted without doubts, or with those that were confirmed, save."""
        posted = request.method == "POST"
        form = RuleForm(known, rule, request.POST if posted else None, initial=_initial(rule))
        context: dict[str, Any] = {}
        if posted and form.is_valid():
            try:
                context = _previewed(drafted(known.name, form.given(), base=rule))
                if "preview" not in request.POST and _digest(context["doubts"]) == form.cleaned_data["confirmed"]:
                    return self._saved(request, known, rule, form)
                data = request.POST.copy()
                data["confirmed"] = _digest(context["doubts"])
                form.data = data
            except Invalid as invalid:
                for name, words in invalid.errors.items():
                    form.add_error(name if name in form.fields else None, words)
            except Refused as refusal:
                form.add_error(None, refusal.detail)
        back = self.page_of(rule) if rule else reverse("admin:ops_alertconfiguration_changelist")
        context |= {
            **self.admin_site.each_context(request), "opts": self.opts, "original": rule, "form": form, "known": known,
            "title": f"Change {rule}" if rule else f"New rule: {known.title}", "back": back,
        }  # fmt: skip
        return TemplateResponse(request, "admin/alert_rule_form.html", context)

    def _saved(
        self, request: HttpRequest, known: AlertType, rule: AlertConfiguration | None, form: RuleForm
    ) -> HttpResponse:
        by, reason = _who(request), form.cleaned_data["reason"]
        if rule is None:
            saved = create_rule(by=by, type=known.name, given=form.given(), reason=reason)
        else:
            saved = change_rule(
                by=by, rule_id=rule.pk, given=form.given(), reason=reason, version=form.cleaned_data["version"]
            )
        messages.success(request, f"Saved: {saved}.")
        return HttpResponseRedirect(self.page_of(saved))


def _initial(rule: AlertConfiguration | None) -> dict[str, Any]:
    if rule is None:
        return USUAL
    fields = [name for name in RuleForm.base_fields if hasattr(rule, name) and name != "slack_url"]
    return {name: getattr(rule, name) for name in fields} | {"threshold": Decimal(f"{rule.threshold.normalize():f}")}


def _previewed(rule: AlertConfiguration) -> dict[str, Any]:
    """What a page shows of a rule: its last seven days and what is doubtful about it."""
    seen: Preview = preview(rule, clock.now())
    drawn = chart(rule, seen.series, name="rule-preview", title="The last 7 days")
    return {"preview": seen, "doubts": doubts(rule, seen), "chart": drawn}


def _digest(found: list[str]) -> str:
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:16] if found else ""


def _muted(rule: AlertConfiguration) -> bool:
    return rule.muted_until is not None and rule.muted_until > timezone.now()


def _who(request: HttpRequest) -> Actor:
    return of_staff(request.user)  # type: ignore[arg-type]
