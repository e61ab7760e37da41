"""Keep, rename and forget a list's filters. Everybody has their own; all by POST."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.db.transaction import atomic
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from ledger.console.lists import NO_FILTERS
from ops.console.models import SavedView

MOST_VIEWS = 20
LONGEST_NAME, LONGEST_QUERY = 60, 1000
# What Django says in an address, and no filter.
_NOT_KEPT = {*NO_FILTERS, "p", "e"}


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    page, query = request.POST.get("page", ""), kept(request.POST.get("query", ""))
    _may_see(request, page)
    own = SavedView.objects.filter(owner_id=_person(request), page=page)
    name = _name(request)
    if not name or not query or len(query) > LONGEST_QUERY:
        messages.error(request, f"A view has a name of up to {LONGEST_NAME} characters, and filters.")
    elif own.count() >= MOST_VIEWS:
        messages.error(request, f"A list has at most {MOST_VIEWS} views of yours. Delete one first.")
    else:
        try:
            with atomic():
                SavedView.objects.create(owner_id=_person(request), page=page, name=name, query=query)
        except IntegrityError:
            messages.error(request, f"You have a view {name} already.")
    return _back(page, query)


@require_POST
def rename(request: HttpRequest, view_id: UUID) -> HttpResponse:
    view, name = _own(request, view_id), _name(request)
    if not name:
        messages.error(request, f"A view has a name of up to {LONGEST_NAME} characters.")
        return _back(view.page, view.query)
    try:
        with atomic():
            SavedView.objects.filter(pk=view.pk).update(name=name)
    except IntegrityError:
        messages.error(request, f"You have a view {name} already.")
    return _back(view.page, view.query)


@require_POST
def delete(request: HttpRequest, view_id: UUID) -> HttpResponse:
    view = _own(request, view_id)
    view.delete()
    messages.success(request, f"The view {view.name} is deleted.")
    return _back(view.page, view.query)


def kept(query: str) -> str:
    """Return the filters of an address's query, in order, without a page's key and what else is no filter."""
    pairs = parse_qsl(query.removeprefix("?"))
    return urlencode(sorted((name, value) for name, value in pairs if name not in _NOT_KEPT and value))


def _name(request: HttpRequest) -> str:
    name = " ".join(request.POST.get("name", "").replace("\0", "").split())
    return name if len(name) <= LONGEST_NAME else ""


def _own(request: HttpRequest, view_id: UUID) -> SavedView:
    return get_object_or_404(SavedView, pk=view_id, owner_id=_person(request))


def _person(request: HttpRequest) -> UUID:
    return UUID(str(request.user.pk))


def _may_see(request: HttpRequest, page: str) -> None:
    lists = {f"{model._meta.app_label}_{model._meta.model_name}": one for model, one in admin.site._registry.items()}
    if page not in lists:
        raise Http404
    if not lists[page].has_view_permission(request):
        raise PermissionDenied


def _back(page: str, query: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse(f'admin:{page}_changelist')}?{query}")
