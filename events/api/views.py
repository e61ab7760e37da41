"""``GET /events``: the log by position, for those who follow it without Kafka."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from uuid import UUID

import orjson
from django.db import connection
from django.http import HttpRequest, HttpResponse, QueryDict
from drf_spectacular.utils import OpenApiParameter

from events import log
from events.api.serializers import EventPage
from events.envelope import envelope
from events.models import Event
from events.types import TYPES
from ledger.models import Account
from walletplatform.api.pagination import DEFAULT_LIMIT, MAX_LIMIT
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.query import id_parameter
from walletplatform.api.responses import json_response
from walletplatform.api.schema import LIMIT, operation
from walletplatform.api.views import ApiView

# Shorter than a web process may take to end.
MAX_WAIT = 9
LOOK_SECONDS = 0.1
# A waiting request keeps a thread, and payments need threads too; so many in all, and of one principal.
PLACES, PLACES_OF_ONE = 16, 4
_waiting: Counter[UUID] = Counter()
_waiting_lock = Lock()
_POSITION = re.compile("0|[1-9][0-9]{0,17}")


class EventsView(ApiView):
    scopes = {"GET": "events:read"}
    parameters = {"GET": frozenset({"after", "limit", "types", "wallet_id", "wait"})}

    @operation(
        "Follow the event log",
        answer=EventPage,
        problems=["overloaded"],
        parameters=[
            OpenApiParameter("after", {"type": "integer", "minimum": 0, "default": 0}, description="A position."),
            LIMIT,
            OpenApiParameter("types", {"type": "string"}, description="payment.settled,payment.failed and the like."),
            OpenApiParameter("wallet_id", {"type": "string", "format": "uuid"}),
            OpenApiParameter(
                "wait",
                {"type": "integer", "minimum": 0, "maximum": MAX_WAIT, "default": 0},
                description="Seconds to wait for the next event where there is none yet.",
            ),
        ],
        description="Events behind `after`, in their one order. Positions have no gaps; filters leave some out. "
        "Keep `next_after` with what you did, and go on from there.",
    )
    def get(self, request: HttpRequest) -> HttpResponse:
        if self.principal.is_user:
            raise Problem("forbidden", "The event log is for client systems.")
        query = request.GET
        after, limit = _number(query, "after", 0, 10**18), _number(query, "limit", DEFAULT_LIMIT, MAX_LIMIT, least=1)
        wait, types = _number(query, "wait", 0, MAX_WAIT), _types(query)
        read = self._reader(limit, types, id_parameter(query, "wallet_id"))
        # Read before the page: what is logged in between is on the page, or behind what is told.
        end = log.head()
        if after > end:
            raise invalid("/after", "beyond_the_end", f"The log ends at {end}: was it restored to an earlier moment?")
        found = read(after)
        if not found and wait:
            with _place_to_wait(self.principal.id):
                end, found = _wait_for(read, after=end, seconds=wait)
        shown, has_more = found[:limit], len(found) > limit
        last = shown[-1].position if shown else 0
        return json_response(
            {
                "data": [orjson.Fragment(envelope(event)) for event in shown if self.principal.sees_asset(event.asset)],
                "has_more": has_more,
                "next_after": last if has_more else max(last, end),
            }
        )

    def _reader(self, limit: int, types: list[str], wallet_id: UUID | None) -> Callable[[int], list[Event]]:
        """Return what reads one event more than is shown, behind a position."""
        assets = self.principal.assets
        named = None if assets is None else sorted(assets)
        if wallet_id is not None:
            if named is not None and not Account.objects.filter(id=wallet_id, asset__in=named).exists():
                # Like one that there is not; its events must not be counted by their positions, either.
                return lambda after: []
            return lambda after: log.read_of_wallet(wallet_id, after=after, limit=limit + 1, types=types, assets=named)
        if named is not None:
            return lambda after: log.read_of_assets(named, after=after, limit=limit + 1, types=types)
        if types:
            # Asked for anew each time: an asset's first event may come while somebody waits.
            return lambda after: log.read_of_assets(log.assets(), after=after, limit=limit + 1, types=types)
        return lambda after: log.read(after=after, limit=limit + 1)


@contextmanager
def _place_to_wait(principal_id: UUID) -> Iterator[None]:
    with _waiting_lock:
        if _waiting.total() >= PLACES or _waiting[principal_id] >= PLACES_OF_ONE:
            raise Problem("overloaded", "Too many wait for events already. Ask without wait, or later.")
        _waiting[principal_id] += 1
    try:
        yield
    finally:
        with _waiting_lock:
            _waiting[principal_id] -= 1
            if not _waiting[principal_id]:
                del _waiting[principal_id]


def _wait_for(read: Callable[[int], list[Event]], *, after: int, seconds: int) -> tuple[int, list[Event]]:
    """Look again until something comes; nothing up to ``after`` was wanted. Returns the end by then, too."""
    deadline = time.monotonic() + seconds
    while True:
        # Back into the pool: who waits needs no connection.
        connection.close()
        time.sleep(LOOK_SECONDS)
        end = log.head()
        found = read(after) if end > after else []
        if found or time.monotonic() >= deadline:
            return end, found
        after = end


def _number(query: QueryDict, name: str, default: int, most: int, *, least: int = 0) -> int:
    text = query.get(name, str(default))
    if not _POSITION.fullmatch(text) or not least <= int(text) <= most:
        raise invalid(f"/{name}", "invalid", f"A number from {least} to {most}.")
    return int(text)


def _types(query: QueryDict) -> list[str]:
    text = query.get("types")
    wanted = text.split(",") if text is not None else []
    if unknown := [one for one in wanted if one not in TYPES]:
        raise invalid("/types", "invalid_choice", f"{unknown[0][:40]!r} is none of: {', '.join(TYPES)}.")
    return sorted(set(wanted))
