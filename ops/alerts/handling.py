"""What people do about an alert: acknowledge, assign, mute, resolve, comment. Each says why, and is audited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.transaction import atomic

from ledger import clock
from ops.alerts.models import Alert, AlertStep
from ops.approvals.refusing import Refused
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record
from walletplatform.identity.models import User

State = Alert.State
MUTE_HOURS = (1, 4, 24)
RIGHT = "ops.handle_alert"


def version(alert: Alert) -> str:
    """Return what an act is based on: it changes with whatever people do about the alert, and with nothing else."""
    state = "OPEN" if alert.state in (State.PENDING, State.SENT) else alert.state
    return " ".join([state, alert.owner_name, str(alert.muted_until or "")]).strip()


@atomic
def acknowledge(*, by: Actor, alert_id: UUID, reason: str = "", seen: str | None = None) -> Alert:
    """
    Say that somebody looks after it: it is not escalated any more. Nobody's alert becomes theirs.

    :raises Refused: ``not_found``, ``invalid`` where it is acknowledged or over, ``target_changed`` where it is not
        as it was ``seen``
    """
    alert = _locked(alert_id, seen)
    if alert.state == State.ACKNOWLEDGED:
        raise Refused("invalid", f"{alert.acknowledged_by} has acknowledged it already.")
    changes: dict[str, Any] = {
        "state": State.ACKNOWLEDGED, "acknowledged_at": clock.now(), "acknowledged_by": _name(by),
    }  # fmt: skip
    if alert.owner_id is None and by.kind == "staff":
        changes |= {"owner_id": by.id, "owner_name": by.name}
    return _change(alert, by, "acknowledge", "acknowledged", reason, changes)


@atomic(durable=True)
def assign(*, by: Actor, alert_id: UUID, to: User, reason: str = "", seen: str | None = None) -> Alert:
    """
    Make it somebody's.

    :raises Refused: as ``acknowledge``; ``invalid`` for who may not handle alerts
    """
    alert = _locked(alert_id, seen)
    if not (to.is_active and to.is_staff and to.has_perm(RIGHT)):
        raise Refused("invalid", f"{to.username} may not handle alerts.")
    return _change(alert, by, "assign", "assigned", reason, {"owner_id": to.pk, "owner_name": to.username}, to.username)


@atomic(durable=True)
def mute(*, by: Actor, alert_id: UUID, hours: int, reason: str = "", seen: str | None = None) -> Alert:
    """
    Tell nobody about it for ``hours`` (1, 4 or 24); it stays on record.

    :raises Refused: as ``acknowledge``; ``invalid`` for other hours
    """
    if hours not in MUTE_HOURS:
        raise Refused("invalid", f"An alert is muted for {', '.join(map(str, MUTE_HOURS))} hours.")
    alert = _locked(alert_id, seen)
    until = clock.now() + timedelta(hours=hours)
    return _change(alert, by, "mute", "muted", reason, {"muted_until": until}, f"until {until:%Y-%m-%d %H:%M} UTC")


@atomic(durable=True)
def resolve(*, by: Actor, alert_id: UUID, classification: str, note: str, seen: str | None = None) -> Alert:
    """
    End it, as what it was. Where its condition lasts, the next evaluation opens another.

    :raises Refused: as ``acknowledge``; ``invalid`` without a classification
    """
    alert = _locked(alert_id, seen)
    if classification not in Alert.Classification.values:
        raise Refused("invalid", "Say what it was.")
    changes = {
        "state": State.RESOLVED, "resolved_at": clock.now(), "resolved_by": _name(by), "classification": classification,
        "note": note,
    }  # fmt: skip
    return _change(alert, by, "resolve", "resolved", note, changes, Alert.Classification(classification).label)


@atomic(durable=True)
def comment(*, by: Actor, alert_id: UUID, text: str) -> Alert:
    """
    Add to its history what others should know, also once it is over; nothing else about it changes.

    :raises Refused: ``not_found``
    """
    alert = _found(alert_id)
    AlertStep.objects.create(alert=alert, at=clock.now(), step="commented", by=_name(by), note=text)
    record(actor=by, action="alert.comment", object_type="alert", object_id=alert.pk, after={"comment": text})
    return alert


def _found(alert_id: UUID) -> Alert:
    alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
    if alert is None:
        raise Refused("not_found", "There is no such alert.")
    return alert


def _locked(alert_id: UUID, seen: str | None) -> Alert:
    alert = _found(alert_id)
    if alert.state == State.RESOLVED:
        raise Refused("invalid", f"It was resolved by {alert.resolved_by or 'itself'} meanwhile.")
    if seen is not None and seen != version(alert):
        raise Refused("target_changed", f"It has changed since you looked at it: {_words(alert)}.")
    return alert


def _words(alert: Alert) -> str:
    words = [f"it is {alert.get_state_display().lower()}"]
    if alert.acknowledged_by:
        words[0] += f" by {alert.acknowledged_by}"
    if alert.owner_name:
        words.append(f"{alert.owner_name} looks after it")
    return ", ".join(words)


def _change(
    alert: Alert, by: Actor, act: str, step: str, reason: str, changes: dict[str, Any], what: str = ""
) -> Alert:
    before = _audited(alert)
    for name, value in changes.items():
        setattr(alert, name, value)
    alert.save(update_fields=list(changes))
    note = f"{what}. {reason}" if what and reason else what or reason
    AlertStep.objects.create(alert=alert, at=clock.now(), step=step, by=_name(by), note=note[:1000])
    record(
        actor=by, action=f"alert.{act}", object_type="alert", object_id=alert.pk, before=before, after=_audited(alert),
        reason=reason,
    )  # fmt: skip
    return alert


def _audited(alert: Alert) -> dict[str, Any]:
    return {
        "state": alert.state, "owner": alert.owner_name, "muted_until": alert.muted_until,
        "classification": alert.classification,
    }  # fmt: skip


def _name(by: Actor) -> str:
    return by.name or str(by.id)
