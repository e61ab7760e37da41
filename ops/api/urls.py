from django.urls import path

from ops.api.alert_configs import ConfigsView, ConfigTestView, ConfigView
from ops.api.alerts import AcknowledgeView, AlertsView, AlertView
from ops.api.approvals import ApprovalView
from ops.api.failures import FailureAnalysisView
from ops.api.guarded import GuardedRefundView, GuardedReverseView, GuardedStatusView
from ops.api.reconciliation import ReportView, RunsView
from ops.api.summaries import SummariesView, SummaryView

urlpatterns = [
    path("approvals/<uuid:approval_id>", ApprovalView.as_view()),
    path("payments/<uuid:payment_id>/refund", GuardedRefundView.as_view()),
    path("payments/<uuid:payment_id>/reverse", GuardedReverseView.as_view()),
    path("wallets/<uuid:wallet_id>/status", GuardedStatusView.as_view()),
    path("reconciliation/report", ReportView.as_view()),
    path("reconciliation/runs", RunsView.as_view()),
    path("ai/summaries", SummariesView.as_view()),
    path("ai/summaries/<uuid:summary_id>", SummaryView.as_view()),
    path("failures/analysis", FailureAnalysisView.as_view()),
    path("alerts", AlertsView.as_view()),
    path("alerts/<uuid:alert_id>", AlertView.as_view()),
    path("alerts/<uuid:alert_id>/acknowledge", AcknowledgeView.as_view()),
    path("alerts/config", ConfigsView.as_view()),
    path("alerts/config/<uuid:config_id>", ConfigView.as_view()),
    path("alerts/config/<uuid:config_id>/test", ConfigTestView.as_view()),
]
