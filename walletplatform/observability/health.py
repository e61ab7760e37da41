"""
``/healthz/live`` and ``/healthz/ready``.

Ready means: the database answers, is migrated and is safe to serve from, and nothing that an app knows of
stands in the way. Redis is reported and never decides: no right answer needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from redis.exceptions import RedisError

from walletplatform.api.problems import Problem
from walletplatform.api.responses import json_response, problem_response
from walletplatform.safety import unsafe_settings

# What apps know of, by name: each says what stands in the way, or nothing.
OBSTACLES: dict[str, Callable[[], str]] = {}
_migrated = False


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return json_response({"status": "alive"})


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """The process can do its work: 200, or 503 with what is missing."""
    checks: dict[str, Any] = {"redis": _redis()}
    if stuck := {name: found for name, obstacle in OBSTACLES.items() if (found := obstacle())}:
        # Without a question to the database: this one would wait as those do.
        return problem_response(Problem("unavailable", "Not ready to serve.", checks=checks | stuck))
    try:
        checks["database"] = "migrations are missing" if _migrations_missing() else "ok"
        unsafe = unsafe_settings(connection)
    except Error:
        checks["database"], unsafe = "down", []
    if unsafe:
        checks["database"] = "; ".join(unsafe)
    if checks["database"] != "ok":
        return problem_response(Problem("unavailable", "Not ready to serve.", checks=checks))
    return json_response({"status": "ready", "checks": checks})


def _migrations_missing() -> bool:
    """Whether the code is ahead of the database; looked up until it is not."""
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connection)
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return not _migrated


def _redis() -> str:
    try:
        return "ok" if get_redis_connection().ping() else "down"
    except RedisError:
        return "down"
