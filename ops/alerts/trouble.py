"""
Count requests that went wrong, by minute and code: errors of ours (5xx), and keys that stand for other requests.

Counted in the process and written every few seconds by a thread of its own: an answer never waits for it, and while
the database is away the counts wait in memory. A process that is killed takes a few seconds of them along.
"""

from __future__ import annotations

import atexit
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
from django.db import DatabaseError, InterfaceError, connection, connections
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from ops.alerts.measures.troubles import KEY_REUSED
from walletplatform.api.problems import CONTENT_TYPE

PAUSE_SECONDS = 2
# Minutes and codes that wait for the database; what comes on top is not counted any more.
MOST_KEPT = 1_000
_WRITE = """
    INSERT INTO request_troubles AS known (begins_at, code, requests)
    SELECT * FROM unnest(%s::timestamptz[], %s::text[], %s::bigint[]) AS n (begins_at, code, requests)
     ORDER BY n.begins_at, n.code
    ON CONFLICT (begins_at, code) DO UPDATE SET requests = known.requests + excluded.requests
"""


class Troubles:
    """What this process has counted and not yet written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[datetime, str]] = Counter()
        self._writer: threading.Thread | None = None
        self._wake = threading.Event()
        atexit.register(self._wake.set)

    def count(self, code: str) -> None:
        key = (datetime.now(UTC).replace(second=0, microsecond=0), code[:40])
        with self._lock:
            if key in self._counts or len(self._counts) < MOST_KEPT:
                self._counts[key] += 1
            if self._writer is None:
                self._writer = threading.Thread(target=self._run, name="troubles", daemon=True)
                self._writer.start()

    def write(self) -> None:
        """Write what was counted; where the database does not take it, it stays."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        rows = [(begins_at, code, many) for (begins_at, code), many in counts.items()]
        try:
            with connection.cursor() as cursor:
                cursor.execute(_WRITE, [list(column) for column in zip(*rows, strict=True)])
        except (DatabaseError, InterfaceError):
            with self._lock:
                self._counts.update(counts)

    def _run(self) -> None:
        """Write until nothing is left; the next trouble starts another thread."""
        while True:
            self._wake.wait(PAUSE_SECONDS)
            self.write()
            connections.close_all()
            with self._lock:
                if not self._counts or self._wake.is_set():
                    self._writer = None
                    return


TROUBLES = Troubles()


class TroubleMiddleware:
    """Looks at answers only: what is all right costs a comparison."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code >= 500:
            TROUBLES.count(_code(response) or f"http_{response.status_code}")
        elif response.status_code == 422 and _code(response) == KEY_REUSED:
            TROUBLES.count(KEY_REUSED)
        return response


def _code(response: HttpResponseBase) -> str:
    if not isinstance(response, HttpResponse) or response.get("Content-Type") != CONTENT_TYPE:
        return ""
    return str(orjson.loads(response.content)["code"])
