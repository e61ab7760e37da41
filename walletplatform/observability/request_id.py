"""
The id of the request at hand: the thread that runs through answers, logs, payments and events.

Taken over from ``X-Request-ID`` where that is a sane token, else made. ``traceparent`` (W3C Trace
Context) is carried along where a caller sends one.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

_SANE_ID = re.compile(r"[\x21-\x7e]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")

_request_id: ContextVar[str] = ContextVar("request_id", default="")
_traceparent: ContextVar[str] = ContextVar("traceparent", default="")


def current_request_id() -> str:
    """Return the id of the request at hand; outside a request, one made for this piece of work."""
    if not _request_id.get():
        _request_id.set(uuid.uuid4().hex)
    return _request_id.get()


def request_id_if_any() -> str:
    return _request_id.get()


@contextmanager
def request_id_is(given: str) -> Iterator[None]:
    """Within it, what is done is done for the request of that id."""
    before = _request_id.set(given)
    try:
        yield
    finally:
        _request_id.reset(before)


def current_traceparent() -> str:
    return _traceparent.get()


class RequestIdMiddleware:
    """Outermost of all: whatever answers, the answer names its request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        _request_id.set(given if _SANE_ID.fullmatch(given) else uuid.uuid4().hex)
        trace = request.META.get("HTTP_TRACEPARENT", "")
        _traceparent.set(trace if _TRACEPARENT.fullmatch(trace) else "")
        response = self.get_response(request)
        response["X-Request-ID"] = current_request_id()
        return response
