"""Answers: JSON made by orjson, and problem documents with the headers that belong to them."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpResponse

from walletplatform.api.problems import CATALOGUE, CONTENT_TYPE, Problem, problem_bytes
from walletplatform.observability.request_id import current_request_id

AUTHENTICATE = 'Bearer realm="walletplatform"'


def json_response(data: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """Answer ``data`` (what orjson can write) as JSON."""
    return HttpResponse(orjson.dumps(data), status=status, content_type="application/json", headers=headers)


def stored_response(*, status: int, body: bytes, replayed: bool) -> HttpResponse:
    """Answer the bytes that a key stands for; a decline is a problem document."""
    content_type = "application/json" if status < 400 else CONTENT_TYPE
    response = HttpResponse(body, status=status, content_type=content_type)
    if replayed:
        response["Idempotency-Replayed"] = "true"
    elif status >= 400:
        code = orjson.loads(body)["code"]
        _add_headers(response, code)
    return response


def problem_response(problem: Problem) -> HttpResponse:
    """Answer a problem document."""
    body = problem_bytes(problem.code, problem.detail, current_request_id(), errors=problem.errors, **problem.members)
    response = HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE, headers=problem.headers)
    _add_headers(response, problem.code)
    return response


def _add_headers(response: HttpResponse, code: str) -> None:
    kind = CATALOGUE[code]
    if kind.retry_after is not None:
        response["Retry-After"] = str(kind.retry_after)
    if kind.status == 401:
        error = ', error="invalid_token"' if code == "invalid_token" else ""
        response["WWW-Authenticate"] = AUTHENTICATE + error
