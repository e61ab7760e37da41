"""
Lists of the console: page by page by key, never counted, and asked only about what is indexed.

A page begins behind a row, which the address names by its key (``?after=`` for older rows, ``?before=`` for newer),
so the thousandth page costs what the first does. Filters are those that the list declares: whatever else stands in
an address, such as a path into other tables, is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ALL_VAR, ORDER_VAR
from django.core.exceptions import FieldDoesNotExist, ImproperlyConfigured, ValidationError
from django.db import connection
from django.db.models import Field, Model, Q, QuerySet
from django.http import HttpRequest
from unfold.views import ChangeList

AFTER, BEFORE = "after", "before"
# What is no filter: a page's place, and Django's own ways to a slow one.
NO_FILTERS = (AFTER, BEFORE, ORDER_VAR, ALL_VAR)
Key = list[Any]


class KeysetChangeList(ChangeList):  # type: ignore[misc]
    """What a page of a list shows: ``result_list``, and whether there are ``older`` and ``newer`` rows."""

    columns: list[tuple[Field[Any, Any], bool]]
    older: str | None
    newer: str | None
    estimate: int | None
    filter_params: dict[str, Any]

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        if any("\0" in text for values in request.GET.lists() for text in (values[0], *values[1])):
            raise DisallowedModelAdminLookup("No filter has a NUL in it.")
        for name in NO_FILTERS:
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        # A form sends what was left empty, too.
        self.filter_params = {name: values for name, values in self.filter_params.items() if any(values)}
        return super().get_queryset(request, exclude_parameters)  # type: ignore[no-any-return]

    def get_filters(self, request: HttpRequest) -> Any:
        specs, has_filters, others, duplicates, active = super().get_filters(request)
        if unknown := others.keys() - set(self.model_admin.linked_by):
            raise DisallowedModelAdminLookup(f"Filtering by {', '.join(sorted(unknown))} is not offered.")
        self.is_filtered = bool(active or others or self.query)
        return specs, has_filters, others, duplicates, active

    def get_results(self, request: HttpRequest) -> None:
        self.columns = _columns(self.model, self.queryset.query.order_by)
        after, before = self.key(request, AFTER), self.key(request, BEFORE)
        rows = self.rows(after or before, newer=before is not None, limit=self.list_per_page + 1)
        if before is not None and len(rows) <= self.list_per_page:
            # The top is reached: the newest page, whole.
            before, rows = None, self.rows(None, newer=False, limit=self.list_per_page + 1)
        more, rows = len(rows) > self.list_per_page, rows[: self.list_per_page]
        if before is not None:
            rows.reverse()
        self.older = self._link(AFTER, rows[-1]) if rows and (more or before is not None) else None
        self.newer = self._link(BEFORE, rows[0]) if rows and (after is not None or before is not None) else None
        self.newest = self.get_query_string() if after is not None or before is not None else None
        self.estimate = None if self.is_filtered else _estimate(self.model)
        self._tell_django(rows)

    def rows(self, key: Key | None, *, newer: bool, limit: int) -> list[Any]:
        """Return up to ``limit`` rows beyond the key, in the list's order; ``newer``: backwards, from the key up."""
        queryset = self.queryset if key is None else self.queryset.filter(self.beyond(key, newer=newer))
        return list((queryset.reverse() if newer else queryset)[:limit])

    def beyond(self, key: Key, *, newer: bool = False) -> Q:
        """Return the condition of lying beyond the key in the list's order."""
        found, same = Q(), Q()
        for (field, descending), value in zip(self.columns, key, strict=True):
            way = "lt" if descending is not newer else "gt"
            found |= same & Q(**{f"{field.attname}__{way}": value})
            same &= Q(**{field.attname: value})
        first, descending = self.columns[0]
        # Said of the first column alone, too: an index can be asked that.
        return Q(**{f"{first.attname}__{'lte' if descending is not newer else 'gte'}": key[0]}) & found

    def key(self, request: HttpRequest, name: str) -> Key | None:
        """
        Read a key from the address; None where there is none.

        :raises IncorrectLookupParameters: for what is no key of this list
        """
        given = request.GET.getlist(name)
        if not given:
            return None
        if len(given) != len(self.columns):
            raise IncorrectLookupParameters("This is no key of this list.")
        try:
            return [_read(field, text) for (field, _), text in zip(self.columns, given, strict=True)]
        except (ValidationError, ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(error) from error

    def key_of(self, row: Model) -> Key:
        return [getattr(row, field.attname) for field, _ in self.columns]

    def _link(self, name: str, row: Model) -> str:
        key = [value.isoformat() if hasattr(value, "isoformat") else str(value) for value in self.key_of(row)]
        return self.get_query_string({name: key})  # type: ignore[no-any-return]

    def _tell_django(self, rows: list[Any]) -> None:
        """Set what Django's templates ask of a list, without counting."""
        self.result_list = rows
        self.result_count = self.full_result_count = len(rows)
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True
        self.paginator = self.model_admin.get_paginator(None, rows, self.list_per_page)


def _columns(model: type[Model], order: Sequence[Any]) -> list[tuple[Field[Any, Any], bool]]:
    """Return what a list is ordered by, up to the first column that no two rows share (Django names some twice)."""
    columns: list[tuple[Field[Any, Any], bool]] = []
    for name in order:
        columns.append(_column(model, name))
        if columns[-1][0].unique:
            break
    return columns


def _column(model: type[Model], name: Any) -> tuple[Field[Any, Any], bool]:
    """Return the field that a list is ordered by, and whether it falls."""
    descending = str(name).startswith("-")
    plain = str(name).lstrip("-")
    try:
        field = model._meta.pk if plain == "pk" else model._meta.get_field(plain)
    except FieldDoesNotExist:
        field = None
    if not isinstance(field, Field) or field.null:
        raise ImproperlyConfigured(f"{model.__name__} is listed by columns of its own that are never NULL, not {name}.")
    return field, descending


def _read(field: Field[Any, Any], text: str) -> Any:
    kind: Any = field
    while kind.is_relation:
        kind = kind.target_field
    value = kind.to_python(text)
    kind.run_validators(value)
    return value


def _estimate(model: type[Model]) -> int | None:
    """Return about how many rows there are, as of the last ANALYZE; None where nobody looked, or few."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        found = cursor.fetchone()
    return int(found[0]) if found and found[0] >= 1000 else None
