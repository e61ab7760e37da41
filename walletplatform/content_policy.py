"""What a browser may load and run on our pages (Content-Security-Policy): our own files, and no inline script."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

_OURS = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:; "
)
# The theme's Alpine.js evaluates the attributes of its own templates, and its charts and menus style themselves.
CONSOLE = _OURS + "script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'"
# Swagger UI styles itself, too, but evaluates nothing.
DOCS = _OURS + "script-src 'self'; style-src 'self' 'unsafe-inline'"
NOTHING = "default-src 'none'; frame-ancestors 'none'"


class ContentPolicyMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _policy(request.path_info, response))
        return response


def _policy(path: str, response: HttpResponseBase) -> str:
    if path == "/admin" or path.startswith("/admin/"):
        return CONSOLE
    return DOCS if response.get("Content-Type", "").startswith("text/html") else NOTHING
