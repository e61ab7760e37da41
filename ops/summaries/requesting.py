"""Ask for a summary: a row that waits to be written."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.approvals.refusing import Refused
from ops.jobs.queueing import enqueue
from ops.summaries.models import Summary
from ops.summaries.windows import Window, day_before, week_before
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record

Kind = Summary.Kind
WINDOWS = {Kind.DAILY: day_before, Kind.WEEKLY: week_before}


@atomic
def request_summary(*, window: Window, code: str, actor: Actor, reason: str) -> Summary:
    """
    Ask for a summary of a window; with ``code``, of an incident of that failure.

    :raises Refused: for a window that is too long, upside down or not over yet
    """
    now = clock.now()
    why_not = window.why_not() or ("A window ends in the past." if window.ends_at > now else "")
    if why_not:
        raise Refused("invalid", why_not)
    summary = _make(Kind.INCIDENT if code else Kind.WINDOW, window, now, code=code, by=actor)
    summary.save(force_insert=True)
    _have_written(summary)
    record(
        actor=actor, action="summary.request", object_type="summary", object_id=summary.id, reason=reason,
        after={
            "kind": summary.kind, "begins_at": window.begins_at.isoformat(), "ends_at": window.ends_at.isoformat(),
            "code": code,
        },
    )  # fmt: skip
    return summary


@atomic
def write_again(*, summary_id: UUID, actor: Actor, reason: str) -> Summary:
    """Ask for another summary of what one is about; that one stays as it is."""
    known = Summary.objects.get(id=summary_id)
    again = _make(known.kind, Window(known.begins_at, known.ends_at), clock.now(), code=known.code, by=actor)
    again.save(force_insert=True)
    _have_written(again)
    record(
        actor=actor, action="summary.regenerate", object_type="summary", object_id=again.id, reason=reason,
        after={"again": str(known.id)},
    )  # fmt: skip
    return again


@atomic
def request_for_slot(kind: str) -> Summary | None:
    """Ask for the summary of the day or the week that is over; None where there is one already."""
    now = clock.now()
    window = WINDOWS[Kind(kind)](now)
    summary = _make(kind, window, now, slot=window.ends_at)
    Summary.objects.bulk_create([summary], ignore_conflicts=True)
    if not Summary.objects.filter(id=summary.id).exists():
        return None
    _have_written(summary)
    return summary


def _make(
    kind: str, window: Window, now: datetime, *, code: str = "", slot: datetime | None = None, by: Actor | None = None
) -> Summary:
    return Summary(
        id=id_maker(at=now)(), kind=kind, slot=slot, begins_at=window.begins_at, ends_at=window.ends_at, code=code,
        requested_by=by.id if by else None, requested_name=by.name if by else "", created_at=now,
    )  # fmt: skip


def _have_written(summary: Summary) -> None:
    enqueue("summaries.write", {"summary_id": str(summary.id)})
