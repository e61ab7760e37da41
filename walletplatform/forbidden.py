"""The console's page for what somebody may not do: which right it takes, and which roles have it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.http import HttpRequest
from django.shortcuts import render

from walletplatform.api import errors
from walletplatform.identity.sessions import is_verified


def permission_denied(request: HttpRequest, exception: Exception) -> Any:
    """Answer 403 with a page to a browser inside the console, else as everywhere (Django's ``handler403``)."""
    user = getattr(request, "user", None)
    inside = user is not None and user.is_authenticated and user.is_staff and is_verified(request)
    if user is None or not inside or "text/html" not in request.headers.get("Accept", ""):
        return errors.permission_denied(request, exception)
    needed = _needed(user.denied)  # before the sidebar asks for more
    context = {
        **admin.site.each_context(request), "title": "Not yours to do", "needed": needed,
        "own": ", ".join(user.groups.order_by("name").values_list("name", flat=True)),
    }  # fmt: skip
    return render(request, "admin/forbidden.html", context, status=403)


def _needed(denied: list[str]) -> dict[str, str] | None:
    """The right that was missed last, in words, and who has it; None where it is no right that somebody could have."""
    if not denied:
        return None
    # Who may change something may look at it too, so Django asks for that after the right to look.
    code = denied[-1].replace(".change_", ".view_") if len(denied) > 1 else denied[-1]
    label, codename = code.split(".", 1)
    found = Permission.objects.filter(content_type__app_label=label, codename=codename).first()
    roles = Group.objects.filter(permissions=found).order_by("name").values_list("name", flat=True) if found else []
    return {"code": code, "words": found.name.removeprefix("Can ") if found else code, "roles": ", ".join(roles)}
