"""What pages about findings and exceptions have in common: whose they are, how old, and what was done about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import now
from unfold.widgets import UnfoldAdminSelectWidget

from ledger.console.filters import ChoiceFilter
from ops.act_pages import ReasonForm
from ops.reconciliation.handling import RIGHT
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import User

MOST_STEPS = 20
# Days below which something is of an age, and how that is shown.
AGES = ((2, "0 to 1 days", "info"), (8, "2 to 7 days", "warning"), (31, "8 to 30 days", "warning"))
OLDEST = "over 30 days"
AGE_COLOURS = {words: colour for _, words, colour in AGES} | {OLDEST: "danger"}


class OwnerForm(forms.Form):
    owner = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget, help_text="Who looks after it from now.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [("", "Nobody"), *((name, name) for name in entitled_people())]  # type: ignore[attr-defined]


class NoteForm(ReasonForm):
    """The reason is the note that stays with it."""


class Whose(ChoiceFilter):
    title = "owner"
    parameters = ("whose",)
    offered = (("me", "Mine"), ("nobody", "Nobody's"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value is None:
            return queryset
        return queryset.filter(owner=request.user.get_username() if self.value == "me" else "")


def entitled_people() -> list[str]:
    """Return the names of those who may look after findings and exceptions."""
    label, code = RIGHT.split(".")
    right = Permission.objects.filter(content_type__app_label=label, codename=code)
    people = User.objects.filter(is_active=True, is_staff=True)
    may = people.filter(Q(groups__permissions__in=right) | Q(user_permissions__in=right) | Q(is_superuser=True))
    return list(may.order_by("username").values_list("username", flat=True).distinct())


def age(since: datetime) -> str:
    """Return how old something is, as one of ``AGE_COLOURS``."""
    days = (now() - since).days
    return next((words for below, words, _ in AGES if days < below), OLDEST)


def history(object_type: str, pk: object) -> SafeString | str:
    """The latest steps of something, as the audit trail has them."""
    entries = AuditEntry.objects.filter(object_id=str(pk), object_type=object_type).order_by("-id")[:MOST_STEPS]
    rows = format_html_join(
        "",
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
        (
            (f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor_name or "unknown", _step(one), one.reason)
            for one in entries
        ),
    )  # fmt: skip
    if not rows:
        return "Nobody has done anything about it yet."
    return format_html(
        '<div class="ops-scroll" tabindex="0"><table class="ops-postings"><thead><tr><th scope="col">When (UTC)</th>'
        '<th scope="col">Who</th><th scope="col">What</th><th scope="col">Why</th></tr></thead>'
        "<tbody>{}</tbody></table></div>",
        rows,
    )


def _step(entry: AuditEntry) -> str:
    step = entry.action.rpartition(".")[2]
    if step == "assign":
        owner = (entry.after or {}).get("owner")
        return f"Given to {owner}" if owner else "Given back"
    words = {"match": "Matched", "correct": "Correction proposed", "settle": "Corrected", "reopen": "Opened again"}
    return words.get(step, f"{step.capitalize()}d" if step.endswith("e") else f"{step.capitalize()}ed")
