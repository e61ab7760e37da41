"""What needs somebody: open alerts, and approvals that wait for the person who looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from ops.alerts.models import Alert
from ops.approvals.actions import ACTIONS
from ops.approvals.models import Approval

SHOWN = 8


@dataclass(frozen=True, slots=True)
class Inbox:
    """``decides``: they may decide on approvals, which come first then; ``handles``: they may acknowledge alerts."""

    alerts: list[Alert]
    approvals: list[dict[str, Any]]
    sees_alerts: bool
    sees_approvals: bool
    decides: bool
    handles: bool


def inbox(user: Any) -> Inbox:
    """Return what waits for a person: the most urgent alerts, and the approvals that are not their own."""
    sees, sees_approvals = user.has_perm("ops.view_alert"), user.has_perm("ops.view_approval")
    alerts = list(Alert.objects.filter(urgency__gt=0).order_by("-urgency", "-id")[:SHOWN]) if sees else []
    approvals = []
    if sees_approvals:
        waiting = Approval.objects.filter(state=Approval.State.PENDING).order_by("expires_at", "id")[:SHOWN]
        approvals = [_shown(one, user.pk) for one in waiting]
    return Inbox(
        alerts, approvals, sees, sees_approvals, user.has_perm("ops.decide_approval"), user.has_perm("ops.handle_alert")
    )


def _shown(approval: Approval, user_id: object) -> dict[str, Any]:
    action = ACTIONS.get(approval.action)
    return {
        "approval": approval,
        "title": action.title if action else approval.action,
        "own": approval.maker_id == user_id,
        "link": reverse("admin:ops_approval_change", args=[approval.pk]),
    }
