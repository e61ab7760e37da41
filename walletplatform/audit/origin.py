"""The address that the request at hand came from, for the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponseBase

_address: ContextVar[str] = ContextVar("address", default="")


def current_address() -> str:
    """Return the caller's address, as the proxies that are trusted tell it; "" outside a request."""
    return _address.get()


class OriginMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        before = _address.set(request.META.get("REMOTE_ADDR") or "")
        try:
            return self.get_response(request)
        finally:
            _address.reset(before)
