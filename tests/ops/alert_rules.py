"""Rules and figures to alert about, each test's in an asset of its own."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db.models import F

from ledger import clock
from ledger.ids import id_maker
from ops.alerts.models import Alert, AlertConfiguration
from ops.models import PaymentFigure


def rule(type: str = "failure_rate", **given: Any) -> AlertConfiguration:
    now = clock.now()
    usual = {
        "name": f"{type} {uuid4().hex[:8]}", "threshold": Decimal(20), "window_minutes": 15, "severity": "critical",
        "recipients": [], "created_at": now, "updated_at": now,
    }  # fmt: skip
    return AlertConfiguration.objects.create(id=id_maker(at=now)(), type=type, **usual | given)


def figures(asset: str, *, settled: int = 0, failed: int = 0, code: str = "insufficient_funds", back: int = 0) -> None:
    """Payments of an asset that came to an end so many minutes ago."""
    at = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=back)
    for outcome, why, many in (("settled", "", settled), ("failed", code, failed)):
        if many:
            PaymentFigure.objects.create(
                span="minute", begins_at=at, kind=f"k{uuid4().hex[:8]}", asset=asset, outcome=outcome, code=why,
                payments=many, amount=0,
            )  # fmt: skip


def forget_figures(asset: str) -> None:
    PaymentFigure.objects.filter(asset=asset).delete()


def alerts_of(rule: AlertConfiguration) -> list[Alert]:
    return list(Alert.objects.filter(configuration=rule).order_by("id"))


def cooled(rule: AlertConfiguration) -> None:
    """As if its cooldown were over."""
    AlertConfiguration.objects.filter(pk=rule.pk).update(told_at=F("told_at") - timedelta(days=1))
