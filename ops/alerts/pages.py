"""Where alerts and what they are about stand in the console."""

from __future__ import annotations

from django.conf import settings
from django.urls import reverse

from ops.alerts.models import Alert

# By ``Alert.subject_type``: the page of one, and what it is called.
PAGES = {
    "account": ("ledger_account", "account"),
    "asset": ("ledger_asset", "asset"),
    "event": ("events_event", "event"),
    "finding": ("ops_finding", "finding"),
    "job": ("ops_job", "job"),
    "payment": ("payments_payment", "payment"),
    "reconciliation": ("ops_reconciliationrun", "reconciliation"),
    "statement": ("ops_statement", "statement"),
    "statement_exception": ("ops_statementexception", "exception"),
    "transaction": ("ledger_transaction", "transaction"),
    "wallet": ("wallets_wallet", "wallet"),
    "webhook_endpoint": ("events_webhookendpoint", "webhook endpoint"),
}


def subject_path(alert: Alert) -> str:
    """Return the address of what an alert is about; "" where that has no page."""
    if not alert.subject_id or alert.subject_type not in PAGES:
        return ""
    return reverse(f"admin:{PAGES[alert.subject_type][0]}_change", args=[alert.subject_id])


def subject_words(alert: Alert) -> str:
    if not alert.subject_id:
        return ""
    return f"{PAGES.get(alert.subject_type, ('', alert.subject_type))[1]} {alert.subject_id}"


def url(path: str) -> str:
    """Return a path as an address that people can follow from outside."""
    return f"{settings.PUBLIC_URL}{path}"


def alert_url(alert: Alert) -> str:
    return url(reverse("admin:ops_alert_change", args=[alert.pk]))


def alerts_url() -> str:
    return url(reverse("admin:ops_alert_changelist"))
