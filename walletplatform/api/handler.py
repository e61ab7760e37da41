"""The WSGI handler: a request that no header can keep from being made, so that every refusal has a form."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.utils.http import parse_header_parameters


class Request(WSGIRequest):
    """
    A request in UTF-8, whatever its Content-Type says.

    Django would decode the query by the charset named there (``hex`` is one that Python knows), and
    fail on a malformed one before there is anybody to answer.
    """

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            self.content_type, self.content_params = parse_header_parameters(meta.get("CONTENT_TYPE", ""))
        except ValueError:
            self.content_type, self.content_params = "", {}


class Handler(WSGIHandler):
    request_class = Request
