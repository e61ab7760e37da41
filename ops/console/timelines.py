"""What happened to a payment or wallet, moment by moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import orjson

from events.models import Event
from walletplatform.audit.models import AuditEntry

COLOURS = {
    "settled": "success", "captured": "success", "activated": "success", "activate": "success", "failed": "danger",
    "closed": "danger", "close": "danger", "voided": "warning", "expired": "warning", "suspended": "warning",
    "suspend": "warning", "refunded": "warning",
}  # fmt: skip
MOST = 50


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    what: str
    colour: str
    note: str = ""
    link_to: int | None = None  # the event's position
    gap: str = ""


def of_events(subject: UUID, *, newest_first: bool = False) -> list[Moment]:
    """Return what the log says of a payment or wallet, with the time between one and the next."""
    events = list(Event.objects.filter(subject=subject).order_by("-position")[:MOST])
    events.reverse()
    moments, before = [], None
    for event in events:
        what = event.type.rpartition(".")[2]
        gap = _gap(event.time - before) if before else ""
        moments.append(
            Moment(event.time, what.capitalize(), COLOURS.get(what, "info"), _note(event), event.position, gap)
        )
        before = event.time
    return moments[::-1] if newest_first else moments


def of_audit(object_id: object) -> list[Moment]:
    """Return what people and clients did to an object, the latest first."""
    entries = AuditEntry.objects.filter(object_id=str(object_id)).order_by("-id")[:MOST]
    return [
        Moment(
            entry.at, _act(entry.action), COLOURS.get(entry.action.rpartition(".")[2], "info"),
            f"by {entry.actor_name or entry.actor_id or 'unknown'}" + (f": {entry.reason}" if entry.reason else ""),
        )
        for entry in entries
    ]  # fmt: skip


def _act(action: str) -> str:
    return action.rpartition(".")[2].replace("_", " ").capitalize()


def _note(event: Event) -> str:
    data = orjson.loads(event.data)
    if event.type.startswith("wallet."):
        return str(data.get("reason", ""))
    failure = data.get("failure")
    return str(failure["detail"]) if failure else ""


def _gap(passed: timedelta) -> str:
    """``+12 ms``, ``+3.4 s``, ``+2 h 05 min``: what a person takes in at a glance."""
    seconds = passed.total_seconds()
    if seconds < 1:
        return f"+{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"+{seconds:.1f} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 3600:
        return f"+{minutes:.0f} min {seconds % 60:02.0f} s"
    return f"+{hours:.0f} h {minutes % 60:02.0f} min" if seconds < 86400 else f"+{days:.0f} d {hours % 24:.0f} h"
