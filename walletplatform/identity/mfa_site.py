"""
A console behind two factors: after the password a code, and before the first code an enrolment.

Pages let in who has shown both. Whoever has shown the password only is led on, from the login page and from any other.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME, logout
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from unfold.widgets import UnfoldAdminTextInputWidget

from walletplatform.audit.actors import of_staff
from walletplatform.audit.trail import record
from walletplatform.identity import second_factor
from walletplatform.identity.sessions import is_verified, mark_verified

ENROLLING = "enrolling"
WRONG = "This code is not right, was used already, or came too soon after a wrong one. Wait for the next."


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=20,
        widget=UnfoldAdminTextInputWidget(
            {"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True, "spellcheck": "false"}
        ),
    )


class MfaSiteMixin(admin.AdminSite):
    """Mixed into the console's ``AdminSite``, before the theme's."""

    def has_permission(self, request: HttpRequest) -> bool:
        return self._has_shown_password(request) and is_verified(request)

    def get_urls(self) -> list[Any]:
        own: list[URLPattern] = [
            path("second-factor/", never_cache(self.second_factor), name="second_factor"),
            path("second-factor/enrol/", never_cache(self.enrol), name="enrol"),
            path("second-factor/leave/", self.leave, name="leave"),
        ]
        return [*own, *super().get_urls()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # Also after a POST of the right password, which lands here again by its redirect to a page of the console.
        if request.method == "GET" and self._has_shown_password(request) and not is_verified(request):
            return self._on(request, "second_factor")
        return super().login(request, extra_context)

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """Ask for a code; who has no authenticator yet is led to enrol one."""
        if not self._has_shown_password(request):
            return self._on(request, "login")
        if is_verified(request):
            return HttpResponseRedirect(_next(request))
        if not second_factor.is_enrolled(request.user):  # type: ignore[arg-type]
            return self._on(request, "enrol")
        form = CodeForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            if second_factor.verify(request.user, form.cleaned_data["code"]):  # type: ignore[arg-type]
                mark_verified(request)
                return HttpResponseRedirect(_next(request))
            form.add_error("code", WRONG)
        return self._page(request, "admin/second_factor.html", "Second factor", form=form)

    def enrol(self, request: HttpRequest) -> HttpResponse:
        """Show the secret of a new authenticator; once it has given a code, show the recovery codes."""
        if not self._has_shown_password(request):
            return self._on(request, "login")
        if second_factor.is_enrolled(request.user):  # type: ignore[arg-type]
            return self._on(request, "second_factor")
        key = request.session.setdefault(ENROLLING, second_factor.new_key())
        form = CodeForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            codes = second_factor.enrol(user=request.user, key=key, code=form.cleaned_data["code"])  # type: ignore[arg-type]
            if codes:
                del request.session[ENROLLING]
                mark_verified(request)
                return self._page(request, "admin/recovery_codes.html", "Recovery codes", codes=codes)
            form.add_error("code", "This is not the code that the authenticator shows now.")
        uri = second_factor.enrolment_uri(request.user, key)  # type: ignore[arg-type]
        return self._page(
            request, "admin/enrol.html", "Set up your second factor",
            form=form, qr=second_factor.qr_code(uri), key=second_factor.readable(key),
        )  # fmt: skip

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Django's page for a new password of one's own, with its audit entry."""
        with atomic():
            response: TemplateResponse = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == 302:
                user: Any = request.user
                record(actor=of_staff(user), action="user.own_password", object_type="user", object_id=user.pk)
        return response

    def leave(self, request: HttpRequest) -> HttpResponse:
        """Log out who has shown the password only: Django's own log-out is for those inside."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        logout(request)
        return HttpResponseRedirect(reverse("admin:login"))

    def _has_shown_password(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def _on(self, request: HttpRequest, page: str) -> HttpResponse:
        query = urlencode({REDIRECT_FIELD_NAME: _next(request)})
        return HttpResponseRedirect(f"{reverse(f'admin:{page}')}?{query}")

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request, template, {**self.each_context(request), "title": title, "next": _next(request), **context}
        )


def _next(request: HttpRequest) -> str:
    """The page of this console that somebody was on the way to."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    ours = wanted.startswith("/admin/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return wanted if ours else reverse("admin:index")
