from django.urls import path

from ledger.api.views import AssetsView

urlpatterns = [path("assets", AssetsView.as_view())]
