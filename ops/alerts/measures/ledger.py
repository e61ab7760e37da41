"""Rules about the ledger itself: what reconciliation found, whether it runs, what treasuries hold."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from ledger.models import Account
from ledger.money import to_text
from ops.alerts.models import AlertConfiguration
from ops.alerts.reading import Reading, counted, plain
from ops.reconciliation.models import Finding, ReconciliationRun

EXPECTED = {"incremental": timedelta(hours=1), "full": timedelta(days=1)}


def ledger_inconsistency(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Findings of reconciliation that nobody has explained."""
    findings = Finding.objects.filter(state=Finding.State.OPEN)
    many = findings.count()
    latest = findings.order_by("-id").first()
    detail = (
        f"The latest: {latest.kind.replace('_', ' ')}, {latest.subject_type} {latest.subject_id}." if latest else ""
    )
    about = ("finding", str(latest.pk)) if latest else ("", "")
    return [Reading(Decimal(many), f"{counted(many, 'finding')} of reconciliation open", detail, about=about)]


def reconciliation_late(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """For how many of its intervals no run of a kind came to a result; nothing before the first run."""
    found = []
    for kind, interval in EXPECTED.items():
        runs = ReconciliationRun.objects.filter(kind=kind).order_by("-id")
        done = runs.filter(state__in=[ReconciliationRun.State.CLEAN, ReconciliationRun.State.FINDINGS]).first()
        latest = runs.first()
        if latest is None:
            continue
        since = done.finished_at if done and done.finished_at else runs.last().started_at  # type: ignore[union-attr]
        missed = (Decimal((now - since) / interval)).quantize(Decimal("0.1"))
        detail = f"No {kind} run came to a result since {since:%Y-%m-%d %H:%M} UTC."
        if latest.state == ReconciliationRun.State.FAILED:
            detail += f" The latest failed: {latest.error}"
        about = ("reconciliation", str(latest.pk))
        found.append(Reading(missed, f"The {kind} reconciliation is late", detail, kind, about=about))
    return found


def low_treasury(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """What the treasury of each asset has to give, in the asset's unit."""
    treasuries = Account.objects.filter(kind=Account.Kind.TREASURY).select_related("asset").order_by("asset_id")
    if rule.asset:
        treasuries = treasuries.filter(asset_id=rule.asset)
    found = []
    for account in treasuries:
        available = to_text(account.balance - account.held, account.asset.scale)
        title = f"The treasury of {account.asset_id} is down to {plain(Decimal(available))} {account.asset_id}"
        about = ("account", str(account.pk))
        found.append(Reading(Decimal(available), title, "", account.asset_id, asset=account.asset_id, about=about))
    return found
