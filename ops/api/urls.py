from django.urls import path

from ops.api.reconciliation import ReportView, RunsView

urlpatterns = [
    path("reconciliation/report", ReportView.as_view()),
    path("reconciliation/runs", RunsView.as_view()),
]
