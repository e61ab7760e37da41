"""A page for an act that is about no row yet, reached from a list: a GET shows the form, only a POST acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from ops.approvals.refusing import Refused, refused_where_busy


def list_act(
    page: Any, request: HttpRequest, form: forms.Form, act: Callable[[dict[str, Any]], str], *, right: str, title: str,
    effect: str,
) -> HttpResponse:  # fmt: skip
    """
    Show the form on ``page`` (a list's admin); posted and valid, ``act(its data)`` and go where that says.

    ``act`` returns an address and has told what it did, or raises ``Refused``, which the form then shows.
    """
    if not request.user.has_perm(right):
        raise PermissionDenied
    back = reverse(f"admin:{page.opts.app_label}_{page.opts.model_name}_changelist")
    if request.method == "POST" and form.is_valid():
        try:
            with refused_where_busy():
                return HttpResponseRedirect(act(form.cleaned_data))
        except Refused as refusal:
            if refusal.code == "forbidden":
                raise PermissionDenied from refusal
            form.add_error(None, refusal.detail)
    context = {
        **page.admin_site.each_context(request), "opts": page.opts, "title": title, "effect": effect, "form": form,
        "back": back,
    }  # fmt: skip
    return TemplateResponse(request, "admin/list_act.html", context)


def told(request: HttpRequest, words: str, address: str) -> str:
    """Tell what was done on the page that comes next, and return its address."""
    messages.success(request, words)
    return address
