"""Filters of the console's lists. Each is of an indexed column, and stands in the address as one plain word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.admin import ListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now

from ledger.ids import EPOCH, lowest_id

Choices = Sequence[tuple[str, str]]
WINDOWS = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class WordFilter(ListFilter):
    """
    A filter with parameters of its own; ``given`` are those that the address has.

    A subclass reads them in ``read`` (which raises ``IncorrectLookupParameters`` for what means nothing), and says in
    ``shown`` what a person sees of it while it is on.
    """

    parameters: tuple[str, ...] = ()

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        taken = {name: params.pop(name)[-1].strip() for name in self.parameters if name in params}
        self.given = {name: text for name, text in taken.items() if text}
        self.read()

    def read(self) -> None:
        raise NotImplementedError

    @property
    def shown(self) -> str:
        raise NotImplementedError

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        yield {"given": self.given}


class ChoiceFilter(WordFilter):
    """One of a few values of ``lookup``."""

    template = "admin/filter_choice.html"
    lookup = ""
    offered: Choices | Callable[[], Choices] = ()
    value: str | None

    def read(self) -> None:
        offered = self.offered
        self.named = dict(offered() if callable(offered) else offered)
        self.value = self.given.get(self.parameters[0])
        if self.value is not None and self.value not in self.named:
            raise IncorrectLookupParameters(f"There is no {self.title} {self.value}.")

    @property
    def shown(self) -> str:
        return self.named[self.value] if self.value else ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.lookup: self.value}) if self.value else queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        for value, name in self.named.items():
            yield {"value": value, "display": name, "selected": value == self.value}


def choice(
    word: str, offered: Choices | Callable[[], Choices], *, lookup: str = "", title: str = ""
) -> type[ChoiceFilter]:
    """Return a filter ``?word=``, one of what is ``offered`` (value and name), of the column of that name."""
    given = {
        "title": title or word.replace("_", " "), "parameters": (word,), "lookup": lookup or word,
        "offered": offered if isinstance(offered, Sequence) else staticmethod(offered),
    }  # fmt: skip
    return type("ChoiceFilter", (ChoiceFilter,), given)


class TextFilter(WordFilter):
    """A whole word that somebody typed or that a link has, looked up as it is."""

    template = "admin/filter_text.html"
    lookup = ""
    value: Any

    def read(self) -> None:
        text = self.given.get(self.parameters[0])
        try:
            self.value = self.parse(text) if text else None
        except ValueError as error:
            raise IncorrectLookupParameters(error) from error

    def parse(self, text: str) -> Any:
        return text

    @property
    def shown(self) -> str:
        return str(self.value or "")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.lookup: self.value}) if self.value else queryset


def of_text(word: str) -> type[TextFilter]:
    """Return a filter ``?word=`` of what the column of that name is."""
    return type("TextFilter", (TextFilter,), {"title": word, "parameters": (word,), "lookup": word})


class IdFilter(TextFilter):
    def parse(self, text: str) -> UUID:
        return UUID(text)


def of_id(word: str, *, lookup: str, title: str = "") -> type[IdFilter]:
    """Return a filter ``?word=`` of an id in the column ``lookup``."""
    return type("IdFilter", (IdFilter,), {"title": title or word, "parameters": (word,), "lookup": lookup})


class WindowFilter(WordFilter):
    """
    A span of time: ``?window=24h``, or ``?from=`` and ``?to=`` (UTC, to the minute or finer).

    Of a time's ``column``, or of UUIDv7 ids, which begin with their time: a span of time is a span of ids.
    """

    title = "time"
    template = "admin/filter_window.html"
    parameters = ("window", "from", "to")
    column = "pk"
    ids = True
    since: datetime | None = None
    until: datetime | None = None

    def read(self) -> None:
        window = self.given.get("window")
        if window is not None:
            if window not in WINDOWS:
                raise IncorrectLookupParameters("There is no such window.")
            self.since = now() - WINDOWS[window][1]
            self.given = {"window": window}
            return
        self.since, self.until = _moment(self.given.get("from")), _moment(self.given.get("to"))

    @property
    def shown(self) -> str:
        if "window" in self.given:
            return WINDOWS[self.given["window"]][0]
        since, until = (f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in (self.since, self.until))
        return " ".join(part for part in (since and f"from {since}", until and f"to {until}") if part)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        for way, moment in (("gte", self.since), ("lt", self.until)):
            if moment is not None:
                queryset = queryset.filter(**{f"{self.column}__{way}": lowest_id(moment) if self.ids else moment})
        return queryset

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        given = self.given.get("window")
        for value, (name, _) in WINDOWS.items():
            yield {"value": value, "display": name, "selected": value == given}


def during(column: str) -> type[WindowFilter]:
    """Return a filter of a span of time on an indexed time."""
    return type("WindowFilter", (WindowFilter,), {"column": column, "ids": False})


def _moment(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise IncorrectLookupParameters("This is no moment.")
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not EPOCH <= moment <= _LATEST:
        raise IncorrectLookupParameters("Nothing happened then.")
    return moment
