"""Summaries in the console: what was told, by whom, and the figure behind each claim; a form to ask for another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger import clock
from ledger.admin import ReadOnlyAdmin, link
from ledger.console.filters import choice
from ops.act_pages import ActingAdmin, ReasonForm
from ops.failures.words import WORDS, words
from ops.list_acts import list_act, told
from ops.summaries.budget import with_costs
from ops.summaries.facts import Facts
from ops.summaries.models import Summary
from ops.summaries.pages import page
from ops.summaries.requesting import request_summary, write_again
from ops.summaries.windows import Window, day_before
from walletplatform.audit.actors import of_staff
from walletplatform.identity.models import User

WRITERS = {"Model": "success", "Template": "info", "Waiting": "warning"}
MAKE = "ops.make_summary"
# By the kind of a pseudonym: the page of whom it stands for.
PAGES = {"wallet": "wallets_wallet_change", "client": "identity_client_change"}
OWN, DAY = "own", "day"
# Hours back from the last whole minute.
LENGTHS = {"1": "The last hour", "6": "The last 6 hours", "24": "The last 24 hours"}
CODES = [(code, known.title) for code, known in WORDS.items()]


def _time_field(label: str) -> forms.DateTimeField:
    return forms.DateTimeField(
        required=False, label=label, input_formats=["%Y-%m-%dT%H:%M"], help_text="UTC",
        widget=UnfoldAdminTextInputWidget({"type": "datetime-local"}),
    )  # fmt: skip


class WindowForm(ReasonForm):
    window = forms.ChoiceField(
        choices=[*LENGTHS.items(), (DAY, "Yesterday"), (OWN, "Between the times below")], widget=UnfoldAdminSelectWidget
    )
    begins_at, ends_at = _time_field("From"), _time_field("Until before")
    code = forms.ChoiceField(
        required=False, label="Failure", choices=[("", "Any: the window as a whole"), *CODES],
        widget=UnfoldAdminSelectWidget, help_text="Of an incident: the failure that it is about.",
    )  # fmt: skip
    field_order = ("window", "begins_at", "ends_at", "code", "reason")

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("window") == OWN and not (given.get("begins_at") and given.get("ends_at")):
            raise forms.ValidationError("Give both times.")
        return given

    def chosen(self) -> Window:
        """The window that was asked for; the running minute is not over yet."""
        given, now = self.cleaned_data, clock.now().replace(second=0, microsecond=0)
        if given["window"] == OWN:
            return Window(given["begins_at"], given["ends_at"])
        if given["window"] == DAY:
            return day_before(now)
        return Window(now - timedelta(hours=int(given["window"])), now)


@admin.register(Summary)
class SummaryAdmin(ActingAdmin, ReadOnlyAdmin):
    list_display = ("headline", "kind", "period", "shown_writer", "cited", "created_at")
    list_filter = (choice("kind", Summary.Kind.choices),)
    ordering = ("-id",)
    search_help_text = "A summary's id"
    readonly_fields = ("period", "shown_code", "shown_writer", "why_so", "tokens", "cost", "asked_by")
    change_form_outer_before_template = "admin/summary.html"
    actions_list = ("new",)
    actions_detail = ("again",)
    offered = {"again": lambda summary: summary.state == Summary.State.DONE}
    summary = ("period", "shown_writer")

    def has_make_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm(MAKE)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return with_costs(super().get_queryset(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """What has something to say: of an incident its failure, of the model what it took."""
        of_model = ["model", "prompt_version", "tokens", "cost"] if obj and obj.model else []
        return [
            "kind", "period", *(["shown_code"] if obj and obj.code else []), "shown_writer",
            *(["why_so"] if obj and obj.why else []), *of_model, "asked_by", "created_at", "finished_at", "id",
        ]  # fmt: skip

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        summary = self.get_object(request, unquote(object_id))
        context = {"story": story_of(summary)} if summary is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)  # type: ignore[no-any-return]

    @action(description="New summary", url_path="new", icon="add", permissions=["make"])
    def new(self, request: HttpRequest) -> HttpResponse:
        form = WindowForm(request.POST if request.method == "POST" else None, initial=_suggested(request))

        def act(given: dict[str, Any]) -> str:
            made = request_summary(
                window=form.chosen(), code=given["code"], actor=_who(request), reason=given["reason"]
            )
            return told(request, "Asked for: it is written within a minute.", page("ops_summary_change", made.pk))

        effect = "The window's facts are read from the figures; a model, or else a template, tells them."
        return list_act(self, request, form, act, right=MAKE, title="New summary", effect=effect)

    @action(description="Write again", url_path="again", icon="refresh", permissions=["make"])
    def again(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(summary: Summary, given: dict[str, Any]) -> str:
            made = write_again(summary_id=summary.pk, actor=_who(request), reason=given["reason"])
            return format_html("Asked for: {} is written within a minute or so.", link(Summary, made.pk, "another one"))

        effect = "Another summary of the same time is written, from the figures as they are now. This one stays."
        return self.act_page(request, object_id, ReasonForm, act, title="Write again", effect=effect)

    @admin.display(description="Summary")
    def headline(self, summary: Summary) -> str:
        return summary.title or "Not written yet"

    @admin.display(description="Of")
    def period(self, summary: Summary) -> str:
        return _period(summary.begins_at, summary.ends_at)

    @admin.display(description="Failure")
    def shown_code(self, summary: Summary) -> str:
        return words(summary.code).title if summary.code else "any"

    @display(description="Written by", label=WRITERS)
    def shown_writer(self, summary: Summary) -> str:
        return summary.get_written_by_display() or "Waiting"

    @admin.display(description="Facts cited")
    def cited(self, summary: Summary) -> int:
        return len({key for claim in summary.claims for key in claim["facts"]})

    @admin.display(description="Why not by the model")
    def why_so(self, summary: Summary) -> str:
        return why_not_by_the_model(summary)

    @admin.display(description="Tokens in and out")
    def tokens(self, summary: Any) -> str:
        return f"{summary.tokens_in:,} and {summary.tokens_out:,}"

    @admin.display(description="Cost")
    def cost(self, summary: Any) -> str:
        return f"{summary.cost:f}"

    @admin.display(description="Asked for by")
    def asked_by(self, summary: Summary) -> SafeString | str:
        if summary.requested_by is None:
            return summary.requested_name or "the schedule"
        known = User.objects.filter(pk=summary.requested_by).exists()
        return link(User, summary.requested_by, summary.requested_name) if known else summary.requested_name


def story_of(summary: Summary) -> dict[str, Any]:
    """What the page shows above the summary's data: each claim with the facts behind it, and all facts."""
    if summary.facts is None:
        return {}
    facts = Facts.read(summary.facts, summary.names)
    known = facts.by_key()
    return {
        "title": summary.title,
        "by_model": summary.written_by == Summary.Writer.MODEL,
        "model": summary.model,
        "why": why_not_by_the_model(summary),
        "claims": [
            {"text": claim["text"], "facts": [known[key] for key in claim["facts"]]} for claim in summary.claims
        ],
        "facts": list(facts),
        "names": [(name, id, page(PAGES[name.split()[0]], id)) for name, id in facts.names.items()],
    }


def why_not_by_the_model(summary: Summary) -> str:
    """Say in words why the template wrote a summary; "" where the model did."""
    said = summary.get_why_display() if summary.why else ""
    return f"{said}: {summary.detail}." if summary.detail else f"{said}." if said else ""


def _period(begins_at: datetime, ends_at: datetime) -> str:
    begins, ends = begins_at.astimezone(UTC), ends_at.astimezone(UTC)
    if (ends - begins, begins.hour, begins.minute) == (timedelta(days=1), 0, 0):
        return f"{begins:%Y-%m-%d}"
    return f"{begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M}"


def _suggested(request: HttpRequest) -> dict[str, str]:
    """What a link from elsewhere in the console fills in."""
    names = {name: request.GET[name] for name in ("begins_at", "ends_at", "code") if name in request.GET}
    return names | ({"window": OWN} if "begins_at" in names else {})


def _who(request: HttpRequest) -> Any:
    return of_staff(request.user)  # type: ignore[arg-type]
