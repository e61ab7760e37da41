"""The tabs of the approvals' list: what waits for me, for anybody, what I asked for, and what is decided."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from ops.approvals.actions import ACTIONS
from ops.approvals.models import Approval

SHOW = "show"
TABS = (
    ("for_me", "Waiting for me"),
    ("", "All waiting"),
    ("mine", "Asked for by me"),
    ("decided", "Decided"),
    ("all", "All"),
)


class Waiting(admin.SimpleListFilter):
    """Chosen by the tabs above the list."""

    title = "state"
    parameter_name = SHOW

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(value, title) for value, title in TABS if value]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "All waiting"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        shown = self.value()
        if shown == "for_me":
            return for_me(request.user, queryset)
        if shown == "mine":
            return queryset.filter(maker_id=str(request.user.pk))
        if shown == "decided":
            return queryset.exclude(state__in=Approval.OPEN)
        return queryset if shown == "all" else queryset.filter(state__in=Approval.OPEN)


def for_me(user: Any, approvals: QuerySet[Approval]) -> QuerySet[Approval]:
    """Those that ``user`` may decide about: pending, of a kind that is theirs to decide, and not asked for by them."""
    decides = [action.name for action in ACTIONS.values() if user.has_perm(action.decided_by)]
    return approvals.filter(state=Approval.State.PENDING, action__in=decides).exclude(maker_id=user.pk)


def tabs(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the tabs, each with its address and whether it is the one that is open."""
    shown = request.GET.get(SHOW, "")
    return [
        {"title": title, "address": f"?{SHOW}={value}" if value else "?", "active": value == shown}
        for value, title in TABS
    ]
