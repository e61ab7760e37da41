"""Errors that no view answered: problem documents under ``/api/``, Django's own pages elsewhere."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from walletplatform.api.problems import Problem
from walletplatform.api.responses import problem_response


def bad_request(request: HttpRequest, exception: Exception) -> Any:
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return problem_response(Problem("bad_request", "The request is malformed, or for another host."))


def permission_denied(request: HttpRequest, exception: Exception) -> Any:
    if not _is_api(request):
        return defaults.permission_denied(request, exception)
    return problem_response(Problem("forbidden", "This is not allowed."))


def page_not_found(request: HttpRequest, exception: Exception) -> Any:
    if not _is_api(request):
        return defaults.page_not_found(request, exception)
    return problem_response(Problem("not_found", "There is nothing at this address."))


def server_error(request: HttpRequest) -> HttpResponse:
    if not _is_api(request):
        return defaults.server_error(request)
    return problem_response(
        Problem("internal_error", "Something went wrong on our side. The request id helps us find it.")
    )


def _is_api(request: HttpRequest) -> bool:
    return request.path_info == "/api" or request.path_info.startswith("/api/")
