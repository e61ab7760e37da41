"""What every page of the console derives from: lists and pages to be read, never edited."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import OperationalError
from django.db.models import Model, Q, QuerySet
from django.db.transaction import atomic
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.timezone import now
from psycopg.errors import LockNotAvailable, QueryCanceled
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from ledger.console.exporting import MOST_ROWS, TYPES, Column, Export, TooMany
from ledger.console.lists import NO_FILTERS, KeysetChangeList
from walletplatform.api.places import Places
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import of_staff
from walletplatform.audit.trail import record

EXPORT = "ops.export_list"
_places = Places(4)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """
    Lists and pages without a form: nobody adds, changes or deletes, a superuser neither.

    Lists go page by page by key and never count (``ledger.console.lists``). ``id_lookups`` are the fields in which a
    searched id is looked up, each backed by an index; any other term is for ``search_text``. ``linked_by`` are fields
    that links to the list may narrow it by, without a filter to choose. ``views`` are ready-made filters (name and
    query), shown above the list. ``export_columns`` are what a file has (name and what it reads of a row); where
    there are none, a file has what the list shows.
    """

    change_list: type[KeysetChangeList] = KeysetChangeList
    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_disable_select_all = True
    list_filter_submit = True
    list_fullwidth = True
    sortable_by: tuple[str, ...] = ()
    actions = None
    search_fields = ("pk",)
    id_lookups: tuple[str, ...] = ("pk",)
    linked_by: tuple[str, ...] = ()
    views: tuple[tuple[str, str], ...] = ()
    export_columns: Sequence[Column] = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return self.change_list

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """A page reads with its row what a list does."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related(*self.list_select_related) if self.list_select_related else rows

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read it once for a page that is only looked at; whoever acts reads it anew. No row has a NUL in its key."""
        if "\0" in object_id:
            return None
        if request.method != "GET":
            return super().get_object(request, object_id, from_field)
        read: dict[Any, Any] = request.__dict__.setdefault("_read", {})
        key = (self.model, object_id, from_field)
        if key not in read:
            read[key] = super().get_object(request, object_id, from_field)
        return read[key]

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may_export = request.user.has_perm(EXPORT)
        context = {"may_export": may_export, "title": str(self.opts.verbose_name_plural).capitalize()}
        try:
            return super().changelist_view(request, context | (extra_context or {}))  # type: ignore[no-any-return]
        except OperationalError as error:
            return self._too_slow(request, error)

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase | None:
        """What is selected is whatever a browser sends: where it cannot be of the list, it is told, not looked for."""
        if all(self._may_be_key(text) for text in request.POST.getlist(ACTION_CHECKBOX_NAME)):
            return super().response_action(request, queryset)  # type: ignore[no-any-return]
        messages.warning(request, "Something was selected that is not of this list; nothing was done.")
        return None

    def _may_be_key(self, text: str) -> bool:
        try:
            self.opts.pk.to_python(text)
        except (ValidationError, ValueError):
            return False
        return "\0" not in text

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Answer with the list as a file, under the filters in the address; POST only, and told to the audit trail."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        kind = request.POST.get("format", "")
        if not (self.has_view_permission(request) and request.user.has_perm(EXPORT)) or kind not in MOST_ROWS:
            raise PermissionDenied
        back = reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist") + f"?{request.GET.urlencode()}"
        try:
            # In one of few places, until the last row has gone out: a file keeps a web thread for seconds.
            with ExitStack() as stack:
                stack.enter_context(_places.place(UUID(str(request.user.pk))))
                response = self._export(request, kind)
                response._resource_closers.append(stack.pop_all().close)  # type: ignore[attr-defined]
                return response
        except TooMany:
            most = f"A {kind.upper()} file has at most {MOST_ROWS[kind]:,} rows, and this list has more."
            messages.error(request, f"{most} Narrow it by a filter or a time; nothing was exported.")
        except Problem:
            messages.error(request, "Others are exporting just now. Try again in a minute; nothing was exported.")
        except IncorrectLookupParameters:
            messages.error(request, "The list was asked for by filters that it does not know; nothing was exported.")
        except OperationalError as error:
            return self._too_slow(request, error)
        return HttpResponseRedirect(back)

    def _export(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        changelist = self.get_changelist_instance(request)
        export = Export(changelist, self.export_columns or self._shown_columns(request), kind)
        label = f"{self.opts.app_label}.{self.opts.model_name}"
        filters = {name: values for name, values in request.GET.lists() if name not in NO_FILTERS}
        with atomic():
            record(
                actor=of_staff(request.user),  # type: ignore[arg-type]
                action="list.export", object_type="list", object_id=label,
                after={"format": kind, "filters": filters, "rows": export.count},
            )  # fmt: skip
        content = export.content()
        name = f"{str(self.opts.verbose_name_plural).replace(' ', '-')}-{now():%Y-%m-%dT%H%M}.{kind}"
        if kind == "xlsx":
            return FileResponse(content, as_attachment=True, filename=name, content_type=TYPES[kind])
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingHttpResponse(content, content_type=TYPES[kind], headers=headers)

    def _shown_columns(self, request: HttpRequest) -> list[Column]:
        def read(name: Any) -> Column:
            return str(label_for_field(name, self.model, model_admin=self)), lambda row: lookup_field(name, row, self)[
                2
            ]

        return [read(name) for name in self.get_list_display(request)]

    def _too_slow(self, request: HttpRequest, error: OperationalError) -> HttpResponse:
        """Say so where the database gave up on a list; raise any other error again."""
        if not isinstance(error.__cause__, QueryCanceled | LockNotAvailable):
            raise error
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": "This took too long"}
        return TemplateResponse(request, "admin/too_slow.html", context, status=503)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            return self.search_text(queryset, term), False
        anywhere = Q()
        for lookup in self.id_lookups:
            anywhere |= Q(**{lookup: wanted})
        return queryset.filter(anywhere), False

    def search_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.none()
