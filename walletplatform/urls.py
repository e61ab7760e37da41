"""Every address of the platform: the API under ``/api/v1``, the console under ``/admin``."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from walletplatform.api.catalogue import ProblemsView, ProblemView
from walletplatform.api.documentation import DocsView, SchemaView
from walletplatform.observability import health, metrics

api: list[URLPattern | URLResolver] = [
    path("", include("walletplatform.identity.urls")),
    path("", include("ledger.api.urls")),
    path("", include("wallets.api.urls")),
    path("", include("payments.api.urls")),
    path("", include("events.api.urls")),
    path("", include("ops.api.urls")),
    path("problems", ProblemsView.as_view()),
    path("problems/<str:code>", ProblemView.as_view()),
    path("schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(), name="docs"),
]

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("api/v1/", include(api)),
    path("healthz/live", health.live),
    path("healthz/ready", health.ready),
    path("metrics", metrics.metrics_view),
]

handler400 = "walletplatform.api.errors.bad_request"
handler403 = "walletplatform.forbidden.permission_denied"
handler404 = "walletplatform.api.errors.page_not_found"
handler500 = "walletplatform.api.errors.server_error"
