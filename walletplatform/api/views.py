"""
The slim API view: a bearer token, a scope, strict input; no negotiation, parsers or renderers.

It stays a DRF ``APIView``, so that the OpenAPI schema is generated from it. The order is:
authentication, scope, query and body, key, then the resource.
"""

from __future__ import annotations

import logging
import re
from typing import Any, ClassVar

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponseBase
from django.utils.http import parse_header_parameters
from rest_framework.views import APIView

from walletplatform.api import strict_json
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.responses import problem_response
from walletplatform.cache.limits import RateLimit
from walletplatform.identity.principal import Principal
from walletplatform.identity.tokens import bearer

logger = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
_PRINCIPALS = RateLimit("principal", settings.RATE_LIMIT)
_NEVER = re.compile(r"q\s*=\s*0(\.0*)?")
# What psycopg says where there was no connection yet, so that nothing can have been executed.
_NOT_CONNECTED = ("connection failed", "failed to resolve host", "connection timeout", "couldn't get a connection")


class ApiView(APIView):
    """
    ``scopes`` maps a method to the scope it needs (None: any valid token); ``parameters`` are the
    query parameters it knows. ``public`` views ask for no token. ``produces`` are the media types it
    answers, ``max_body`` the bytes it reads.
    """

    scopes: ClassVar[dict[str, str | None]] = {}
    parameters: ClassVar[dict[str, frozenset[str]]] = {}
    public: ClassVar[bool] = False
    produces: ClassVar[tuple[str, ...]] = ("application/json",)
    max_body: ClassVar[int] = MAX_BODY
    principal: Principal

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # Replaces DRF's whole dispatch: its Request, negotiation and throttles cost 0.25 ms a call.
        self.request, self.args, self.kwargs = request, args, kwargs  # type: ignore[assignment]
        try:
            handler = self._handler(request)
            if not self.public:
                self.principal = request.principal = bearer(request)  # type: ignore[attr-defined]
                self._check_scope(request)
                _PRINCIPALS.take(str(self.principal.id))
            self._check_query(request)
            response: HttpResponseBase = handler(request, *args, **kwargs)
        except Problem as problem:
            response = problem_response(problem)
        except (InterfaceError, OperationalError) as error:
            logger.warning("The database failed a request: %s", str(error).strip())
            response = problem_response(_database_problem(request, error))
        return response

    def body(self, request: HttpRequest) -> Any:
        """Return the request's strict JSON."""
        content_type = request.META.get("CONTENT_TYPE") or ""
        if content_type != "application/json" and not _is_json(content_type):
            raise Problem("unsupported_media_type", "Send application/json in UTF-8.")
        if request.META.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
            raise Problem("unsupported_media_type", "Send the body without a content coding.")
        return strict_json.parse(self._read(request))

    def _read(self, request: HttpRequest) -> bytes:
        """Read the body; never more of it than one byte beyond what is allowed."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdigit()):
            raise Problem("bad_request", "The Content-Length is no number.")
        # Django reads as far as Content-Length tells; a chunked body has none, and ends by itself.
        chunked = request.META.get("wsgi.input_terminated") and not request.META.get("CONTENT_LENGTH")
        try:
            if int(length[:20]) <= self.max_body:
                body = request.META["wsgi.input"].read(self.max_body + 1) if chunked else request.body
                if len(body) <= self.max_body:
                    return bytes(body)
        except OSError:
            raise Problem("bad_request", "The body broke off.") from None
        raise Problem("payload_too_large", f"A body has {self.max_body} bytes at most.")

    def _handler(self, request: HttpRequest) -> Any:
        method = (request.method or "").lower()
        allowed = [name for name in ("get", "post", "patch", "put", "delete") if hasattr(self, name)]
        if method == "head" and "get" in allowed:
            method = "get"
        if method not in allowed:
            allow = ", ".join(name.upper() for name in allowed)
            raise Problem("method_not_allowed", f"Allowed here: {allow}.", headers={"Allow": allow})
        accept = request.META.get("HTTP_ACCEPT")
        if accept and accept not in ("*/*", "application/json") and not _accepts(accept, self.produces):
            raise Problem("not_acceptable", f"This endpoint answers {' or '.join(self.produces)}.")
        return getattr(self, method)

    def _check_scope(self, request: HttpRequest) -> None:
        scope = self.scopes["GET" if request.method == "HEAD" else str(request.method)]
        if scope is not None and scope not in self.principal.scopes:
            raise Problem("forbidden", f"The token lacks the scope {scope}.")

    def _check_query(self, request: HttpRequest) -> None:
        if not request.META.get("QUERY_STRING"):
            return
        known = self.parameters.get("GET" if request.method == "HEAD" else str(request.method), frozenset())
        for name, values in request.GET.lists():
            shown = name[:60]
            if name not in known:
                raise invalid(f"/{shown}", "unknown_parameter", "There is no such query parameter.")
            if len(values) > 1:
                raise invalid(f"/{shown}", "repeated", "The query parameter is given twice.")
            if "\0" in values[0] or "\ufffd" in values[0]:
                raise invalid(f"/{shown}", "invalid", "The query parameter is not clean UTF-8.")


def _database_problem(request: HttpRequest, error: Exception) -> Problem:
    """What an error of the server ended was not executed; a connection lost or shut down leaves it open."""
    cause = error.__cause__
    sqlstate = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    if sqlstate == "55P03":
        return Problem("lock_timeout", "The wallet is busy. Nothing was executed.")
    ended = isinstance(cause, psycopg.Error) and cause.diag.severity_nonlocalized in ("FATAL", "PANIC")
    lost = ended or sqlstate is None or sqlstate.startswith(("08", "57P"))
    connected = not any(words in str(error) for words in _NOT_CONNECTED)
    if lost and connected and request.method not in ("GET", "HEAD"):
        return Problem("outcome_unknown", "The commit could not be confirmed. The key will tell.")
    return Problem("unavailable", "The database cannot be reached now.")


def _is_json(content_type: str) -> bool:
    try:
        media, parameters = parse_header_parameters(content_type)
    except ValueError:  # too long
        return False
    return media == "application/json" and parameters.get("charset", "utf-8").lower() == "utf-8"


def _accepts(accept: str, produced: tuple[str, ...]) -> bool:
    """Whether an Accept header leaves room for one of our media types; the most specific range decides
    on each (RFC 9110, section 12.5.1)."""
    ranges: dict[str, bool] = {}
    for part in accept.lower().split(","):
        media, *parameters = (item.strip() for item in part.split(";"))
        ranges[media] = not any(_NEVER.fullmatch(parameter) for parameter in parameters)
    for media in produced:
        for known in (media, media.split("/")[0] + "/*", "*/*"):
            if known in ranges:
                if ranges[known]:
                    return True
                break
    return False
