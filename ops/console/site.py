"""The console as a site: Django's admin in unfold's dress, behind a second factor, with a search of our own."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.sites import UnfoldAdminSite

from walletplatform.identity.mfa_site import MfaSiteMixin


class ConsoleSite(MfaSiteMixin, UnfoldAdminSite):  # type: ignore[misc]
    """Nobody reaches a page of it with a password alone."""

    def extra_urls(self) -> list[URLPattern]:
        # Models are not there yet when the site is made.
        from ops.console import views
        from ops.failures import pages as failures
        from ops.overview import pages as overview

        return [
            path("views/save/", self.admin_view(views.save), name="save_view"),
            path("views/<uuid:view_id>/rename/", self.admin_view(views.rename), name="rename_view"),
            path("views/<uuid:view_id>/delete/", self.admin_view(views.delete), name="delete_view"),
            path("overview/figures/", self.admin_view(overview.figures), name="overview_figures"),
            path("failures/", self.admin_view(failures.failures), name="failures"),
            path("failures/<str:code>/", self.admin_view(failures.failure_code), name="failure_code"),
        ]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """
        Answer the palette (Ctrl-K): what is found for ``?s=``, fresh each time.

        The theme's own search lowers the term, in which keys and names would be lost, and keeps results for minutes.
        """
        from ops.console.palette import find

        found = Paginator(find(request.user, request.GET.get("s", "")), 100)  # type: ignore[arg-type]
        context = {"page_obj": found, "results": found.page(1), "page_counter": 0}
        return TemplateResponse(
            request, "admin/palette.html", context, headers={"HX-Trigger": "search", "Cache-Control": "no-store"}
        )


def environment(request: HttpRequest) -> tuple[str, str]:
    """The label in the header (unfold's ENVIRONMENT): nobody takes one for the other."""
    return ("Production", "danger") if settings.PRODUCTION else ("Development", "warning")
