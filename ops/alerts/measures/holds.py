"""Rules about money that is held: how many holds are open, and whether they end when their time is over."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from ops.alerts.models import AlertConfiguration
from ops.alerts.reading import Reading, counted
from ops.models import OpenHold

# Counting further would cost more than it tells.
MOST_COUNTED = 100_000


def hold_backlog(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Authorizations that still hold something."""
    many = _holds(rule)[:MOST_COUNTED].count()
    overdue = _holds(rule).filter(expires_at__lt=now)[:MOST_COUNTED].count()
    return [Reading(Decimal(many), f"{counted(many, 'hold')} open", f"{overdue:,} of them overdue.", asset=rule.asset)]


def hold_overdue(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """For how many seconds the hold that is overdue longest should have ended."""
    longest = _holds(rule).filter(expires_at__lt=now).order_by("expires_at").first()
    if longest is None:
        return [Reading(Decimal(0), "No hold is overdue", asset=rule.asset)]
    value = Decimal(int((now - longest.expires_at).total_seconds()))
    detail = f"It should have ended at {longest.expires_at:%Y-%m-%d %H:%M} UTC."
    about = ("payment", str(longest.payment_id))
    return [Reading(value, f"A hold is {value} s overdue", detail, asset=rule.asset, about=about)]


def _holds(rule: AlertConfiguration) -> QuerySet[OpenHold]:
    holds = OpenHold.objects.order_by()
    return holds.filter(asset=rule.asset) if rule.asset else holds
