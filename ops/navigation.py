"""The console's sidebar: one list of all pages, of which each person sees what they may open."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import URLPattern, reverse

from ops.overview.badges import badge

# By section: title, icon, the page (the name of its address), and the permissions of which one is enough.
SECTIONS: list[tuple[str, list[tuple[str, str, str, tuple[str, ...]]]]] = [
    ("", [("Overview", "monitoring", "index", ())]),
    (
        "Money",
        [
            ("Wallets", "wallet", "wallets_wallet_changelist", ("wallets.view_wallet",)),
            ("Payments", "payments", "payments_payment_changelist", ("payments.view_payment",)),
            ("Holds", "lock_clock", "ops_openhold_changelist", ("payments.view_payment",)),
            ("Transactions", "receipt_long", "ledger_transaction_changelist", ("ledger.view_transaction",)),
            ("Entries", "format_list_numbered", "ledger_entry_changelist", ("ledger.view_entry",)),
            ("Accounts", "account_balance", "ledger_account_changelist", ("ledger.view_account",)),
            ("Assets", "paid", "ledger_asset_changelist", ("ledger.view_asset",)),
        ],
    ),
    (
        "Operations",
        [
            ("Alerts", "notifications", "ops_alert_changelist", ("ops.view_alert",)),
            ("Failures", "troubleshoot", "failures", ("payments.view_payment",)),
            ("Reconciliation", "balance", "ops_reconciliationrun_changelist", ("ops.view_reconciliationrun",)),
            ("Findings", "report", "ops_finding_changelist", ("ops.view_finding",)),
            ("Statements", "account_balance_wallet", "ops_statement_changelist", ("ops.view_statement",)),
            ("Exceptions", "rule", "ops_statementexception_changelist", ("ops.view_statementexception",)),
            ("Summaries", "summarize", "ops_summary_changelist", ("ops.view_summary",)),
        ],
    ),
    (
        "Events and jobs",
        [
            ("Log", "list_alt", "events_event_changelist", ("events.view_event",)),
            ("Readers", "speed", "events_cursor_changelist", ("events.view_cursor",)),
            ("Set aside", "error", "events_parkedevent_changelist", ("events.view_parkedevent",)),
            ("Webhooks", "webhook", "events_webhookendpoint_changelist", ("events.view_webhookendpoint",)),
            ("Deliveries", "outgoing_mail", "events_webhookdelivery_changelist", ("events.view_webhookdelivery",)),
            ("Jobs", "work_history", "ops_job_changelist", ("ops.view_job",)),
            (
                "Schedules",
                "schedule",
                "django_celery_beat_periodictask_changelist",
                ("django_celery_beat.view_periodictask",),
            ),
        ],
    ),
    (
        "Control",
        [
            ("Approvals", "approval", "ops_approval_changelist", ("ops.view_approval", "ops.propose_approval")),
            ("Alert rules", "tune", "ops_alertconfiguration_changelist", ("ops.view_alertconfiguration",)),
            ("Audit trail", "policy", "audit_auditentry_changelist", ("audit.view_auditentry",)),
        ],
    ),
    (
        "People",
        [
            ("Users", "person", "identity_user_changelist", ("identity.view_user",)),
            ("Roles", "group", "auth_group_changelist", ("auth.view_group",)),
            ("API clients", "key", "identity_client_changelist", ("identity.view_client",)),
        ],
    ),
]
# The pages beside whose name stands how much there waits for somebody, and its colour.
BADGES = {
    "ops_alert_changelist": "danger",
    "ops_approval_changelist": "warning",
    "ops_finding_changelist": "danger",
    "events_parkedevent_changelist": "danger",
    "events_webhookdelivery_changelist": "danger",
    "ops_job_changelist": "danger",
}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sidebar's sections (unfold's ``SIDEBAR``): a section with nothing to open is left out."""
    known = addresses()
    sections = []
    for title, pages in SECTIONS:
        items = [
            {"title": name, "icon": icon, "link": reverse(f"admin:{page}")} | _badge(request, page)
            for name, icon, page, permissions in pages
            if page in known and _allowed(request, permissions)
        ]
        if items:
            sections.append({"title": title, "items": items, "separator": bool(title)})
    return sections


@cache
def addresses() -> set[str]:
    """The names of the pages that there are; they do not change while a process lives."""
    names = {str(pattern.name) for pattern in admin.site.get_urls() if isinstance(pattern, URLPattern) and pattern.name}
    models = {f"{model._meta.app_label}_{model._meta.model_name}_changelist" for model in admin.site._registry}
    return names | models


def _allowed(request: HttpRequest, permissions: tuple[str, ...]) -> bool:
    may: Callable[[str], bool] = request.user.has_perm
    return not permissions or any(map(may, permissions))


def _badge(request: HttpRequest, page: str) -> dict[str, str]:
    told = badge(request, page) if page in BADGES else ""
    return {"badge": told, "badge_variant": BADGES[page]} if told else {}
