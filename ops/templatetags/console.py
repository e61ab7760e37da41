"""What the console's templates ask for: the views of a list, and round numbers."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django import template
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ops.console.models import SavedView
from ops.console.views import kept

register = template.Library()
_TIME = ("window", "from", "to")


@register.simple_tag
def saved_views(changelist: Any, request: HttpRequest) -> dict[str, Any]:
    """Return the views of a list (all, its own, the person's) as links, and the filters that are on."""
    options = changelist.opts
    page = f"{options.app_label}_{options.model_name}"
    query = kept(request.GET.urlencode())
    own = list(SavedView.objects.filter(owner_id=UUID(str(request.user.pk)), page=page).order_by("created_at", "name"))
    offered = [("All", ""), *((name, kept(given)) for name, given in changelist.model_admin.views)]
    views = [_view(name, given, query) for name, given in [*offered, *((one.name, one.query) for one in own)]]
    return {
        "page": page,
        "query": query,
        "views": views if len(views) > 1 else [],
        "own": next((one for one in own if one.query == query), None),
        "chips": _chips(changelist),
    }


@register.filter
def copyable(text: object) -> SafeString:
    """A text with a button that copies it."""
    return format_html(
        '<span class="ops-id"><span class="ops-text">{}</span><button type="button" class="ops-copy" data-copy="{}" '
        'aria-label="Copy {}"><span class="material-symbols-outlined" aria-hidden="true">content_copy</span></button>'
        "</span>",
        text, text, text,
    )  # fmt: skip


@register.filter
def about(number: int) -> str:
    """``10.4 M``: a number that is an estimate, and looks like one."""
    for size, sign in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.1f} {sign}"
    return str(number)


def _view(name: str, given: str, query: str) -> dict[str, Any]:
    """A view that says no time keeps the one that is looked at."""
    pairs, looked_at = dict(parse_qsl(given)), dict(parse_qsl(query))
    if given and not pairs.keys() & set(_TIME):
        pairs |= {word: looked_at[word] for word in _TIME if word in looked_at}
    return {"name": name, "link": f"?{urlencode(pairs)}", "active": given == query}


def _chips(changelist: Any) -> list[dict[str, str]]:
    chips = [
        {"title": spec.title, "shown": spec.shown, "without": changelist.get_query_string(remove=list(spec.parameters))}
        for spec in changelist.filter_specs
        if getattr(spec, "shown", "")
    ]
    if changelist.query:
        chips.append(
            {"title": "search", "shown": changelist.query, "without": changelist.get_query_string(remove=["q"])}
        )
    return chips
