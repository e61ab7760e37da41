"""
Where a session has ended, a page that fetches parts of itself must not be given the login page as one of them.

Such a request (htmx, or a script's ``fetch``) is answered 401 with the address of the login in ``HX-Redirect``,
which htmx follows by itself and ``console.js`` for the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse


class SignedOutMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if response.status_code != 302 or not _is_part(request):
            return response
        login = reverse("admin:login")
        if urlsplit(response["Location"]).path != login:
            return response
        back = urlencode({"next": _page(request)})
        return HttpResponse(status=401, headers={"HX-Redirect": f"{login}?{back}", "Cache-Control": "no-store"})


def _is_part(request: HttpRequest) -> bool:
    headers = request.headers
    return "HX-Request" in headers or headers.get("Sec-Fetch-Mode") in ("cors", "same-origin")


def _page(request: HttpRequest) -> str:
    """The path of the page that asks, not of its part; of its address, which may be anything, what lies here."""
    try:
        parts = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer") or "")
    except ValueError:
        return reverse("admin:index")
    if not parts.path.startswith("/admin/"):
        return reverse("admin:index")
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
