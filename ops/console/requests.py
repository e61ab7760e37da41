"""What was asked for about a payment or wallet that needs a second person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ledger.admin import link
from ops.approvals.actions import ACTIONS
from ops.approvals.models import Approval

SHOWN = 20


def requests_about(target_id: UUID) -> list[dict[str, Any]]:
    """Return the latest requests, each with what became of it; ``waits``: somebody has yet to decide about it."""
    return [
        {
            "link": link(Approval, one.pk, ACTIONS[one.action].title),
            "state": one.get_state_display().lower(),
            "waits": one.state in Approval.OPEN,
            "maker": one.maker_name,
            "at": one.created_at,
        }
        for one in Approval.objects.filter(target_id=target_id).order_by("-id")[:SHOWN]
    ]
