"""Logs: one JSON object a line on stdout, each with its request id; coloured text on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

import orjson
import structlog
from django.http import HttpRequest, HttpResponseBase

from walletplatform.observability.metrics import REQUESTS
from walletplatform.observability.request_id import request_id_if_any

log = structlog.get_logger("request")
_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
# Probes come every few seconds and say nothing.
_QUIET = ("/healthz/", "/metrics", "/static/")


def _add_request_id(logger: Any, name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    if request_id := request_id_if_any():
        event["request_id"] = request_id
    return event


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


_SHARED: list[structlog.types.Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _add_request_id,
    structlog.processors.format_exc_info,
]


def logging_settings() -> dict[str, Any]:
    """Return Django's LOGGING: everything, ours and libraries', through one formatter."""
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer: Any = structlog.processors.JSONRenderer(serializer=_json)
    if sys.stdout.isatty():
        # Not the pretty one: it shows local variables, and with them bodies and secrets.
        renderer = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            }
        },
        "handlers": {"stdout": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "json"}},
        "root": {"handlers": ["stdout"], "level": "INFO"},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": "INFO"},
            # Every refusal would be logged a second time; our own line tells it.
            "django.request": {"level": "ERROR"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
        },
    }


class RequestLogMiddleware:
    """One line for each request: what, how it ended, how long. No bodies, no query, no secrets."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        start = perf_counter()
        response = self.get_response(request)
        if request.path.startswith(_QUIET):
            return response
        seconds = perf_counter() - start
        route = request.resolver_match.route if request.resolver_match else "unknown"
        # A method is whatever the caller writes; a metric's label must not be.
        method = request.method if request.method in _METHODS else "other"
        REQUESTS.labels(route, method, f"{response.status_code // 100}xx").observe(seconds)
        log.info(
            "request",
            method=request.method,
            route=route,
            status=response.status_code,
            milliseconds=round(seconds * 1000, 1),
            principal=str(principal.id) if (principal := getattr(request, "principal", None)) else None,
        )
        return response
