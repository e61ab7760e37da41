"""The pages that are looked at, by name: every list, the newest of each kind, and the forms of acts."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from ops.alerts.models import Alert
from ops.approvals.models import Approval
from payments.models import Payment
from wallets.models import Wallet

# Those that people on duty have open all day.
MAIN = (
    "overview", "failures", "failure-code", "list-payments_payment", "list-wallets_wallet", "list-ops_alert",
    "list-ops_approval", "list-ops_finding", "payment-failed", "payment-settled", "wallet", "alert", "approval",
)  # fmt: skip


def pages() -> dict[str, str]:
    """Return the address of each page in the story that the database tells; what it has none of is left out."""
    failed, held = _newest(Payment, status="FAILED"), _newest(Payment, kind="authorization", status="AUTHORIZED")
    settled, wallet = _newest(Payment, status="SETTLED", kind="transfer"), _newest(Wallet, status="ACTIVE")
    assert failed is not None
    assert settled is not None
    assert wallet is not None
    found = {
        "overview": reverse("admin:index"),
        "failures": reverse("admin:failures") + "?range=30d",
        "failure-code": reverse("admin:failure_code", args=["insufficient_funds"]) + "?range=30d",
        "payment-failed": _page(failed),
        "payment-settled": _page(settled),
        "payment-authorized": _page(held),
        "wallet": _page(wallet),
        "wallet-statement": reverse("admin:wallets_wallet_statement", args=[wallet.pk]),
        "alert": _page(_newest(Alert)),
        "approval": _page(_newest(Approval, state="PENDING")),
        "act-suspend": reverse("admin:wallets_wallet_suspend", args=[wallet.pk]),
        "act-adjust": reverse("admin:wallets_wallet_propose_adjustment", args=[wallet.pk]),
        "act-refund": reverse("admin:payments_payment_propose_refund", args=[settled.pk]),
        "act-run": reverse("admin:ops_reconciliationrun_run_now"),
        "act-rule": reverse("admin:ops_alertconfiguration_new_rule") + "?type=failure_rate",
        "act-summary": reverse("admin:ops_summary_new"),
    }
    for model in sorted(admin.site._registry, key=lambda model: model._meta.label_lower):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        found |= {f"list-{name}": reverse(f"admin:{name}_changelist"), f"page-{name}": _page(_newest(model))}
    return {name: address for name, address in found.items() if address}


def _newest(model: type[Model], **filters: object) -> Model | None:
    return model._default_manager.filter(**filters).order_by("-pk").first()


def _page(row: Model | None) -> str:
    if row is None:
        return ""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
