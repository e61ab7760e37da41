"""Make and change alert rules, mute them, try them: each with an audit entry of before and after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.transaction import atomic

from events.webhooks.addresses import check_url
from ledger import clock
from ledger.ids import id_maker
from ledger.models import Asset
from ops.alerts.models import Alert, AlertConfiguration, AlertStep, Notification, Severity
from ops.alerts.sealing import seal, unseal
from ops.alerts.telling import message, places, slack_host
from ops.alerts.types import TYPES
from ops.approvals.refusing import Refused
from ops.jobs.queueing import enqueue
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record

# What may be said of a rule; its type stays, for its alerts are of that type.
CHANGEABLE = (
    "name", "asset", "threshold", "window_minutes", "minimum_volume", "severity", "recipients", "slack_url",
    "cooldown_minutes", "escalate_after_minutes", "escalation_recipients", "resolve_after", "weekdays", "from_hour",
    "to_hour", "enabled",
)  # fmt: skip
MOST_ADDRESSES, LONGEST_MINUTES = 20, 7 * 24 * 60
MUTE_HOURS = (1, 4, 24)


class Invalid(Exception):
    """A rule that cannot be; ``errors`` are words by the name of the field."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {words}" for name, words in errors.items()))
        self.errors = dict(errors)


def drafted(type: str, given: Mapping[str, Any], *, base: AlertConfiguration | None = None) -> AlertConfiguration:
    """
    Return a rule as it would be, unsaved, with what is ``given`` of ``CHANGEABLE``; ``slack_url`` in the clear.

    :raises Invalid:
    """
    now = clock.now()
    rule = AlertConfiguration(id=id_maker(at=now)(), type=type, window_minutes=5, created_at=now)
    for field in AlertConfiguration._meta.concrete_fields if base is not None else ():
        setattr(rule, field.attname, getattr(base, field.attname))
    address = given.get("slack_url", unseal(rule.slack_url) if rule.slack_url else "")
    for name in CHANGEABLE:
        if name in given and name != "slack_url":
            setattr(rule, name, given[name])
    errors = _errors(rule, address if "slack_url" in given else "")
    if errors:
        raise Invalid(errors)
    if "slack_url" in given:
        rule.slack_url = seal(address) if address else ""
    rule.updated_at = now
    return rule


@atomic
def create_rule(*, by: Actor, type: str, given: Mapping[str, Any], reason: str = "") -> AlertConfiguration:
    """:raises Invalid:"""
    rule = drafted(type, given)
    rule.save(force_insert=True)
    _audit(by, "create", rule, None, reason)
    return rule


@atomic(durable=True)
def change_rule(
    *, by: Actor, rule_id: UUID, given: Mapping[str, Any], reason: str = "", version: int | None = None
) -> AlertConfiguration:
    """
    Change what is ``given``. Switched off, a rule's open alerts end.

    :raises Invalid: a field that cannot be so
    :raises Refused: ``not_found``, ``target_changed`` where it is not the ``version`` that was looked at
    """
    known = _locked(rule_id)
    if version is not None and version != known.version:
        raise Refused("target_changed", "Somebody has changed the rule since you looked at it.")
    before = represent(known)
    rule = drafted(known.type, given, base=known)
    rule.version += 1
    rule.save(update_fields=[*CHANGEABLE, "version", "updated_at"])
    if known.enabled and not rule.enabled:
        _end_alerts(rule, rule.updated_at)
    _audit(by, "change", rule, before, reason)
    return rule


@atomic(durable=True)
def mute_rule(*, by: Actor, rule_id: UUID, hours: int, reason: str = "") -> AlertConfiguration:
    """
    Tell nobody by this rule for ``hours`` (1, 4 or 24; 0 ends it). Its alerts stay on record.

    :raises Refused: ``not_found``, ``invalid`` for other hours
    """
    if hours not in (0, *MUTE_HOURS):
        raise Refused("invalid", f"A rule is muted for {', '.join(map(str, MUTE_HOURS))} hours.")
    rule = _locked(rule_id)
    before = represent(rule)
    rule.muted_until = clock.now() + timedelta(hours=hours) if hours else None
    rule.save(update_fields=["muted_until"])
    _audit(by, "mute" if hours else "unmute", rule, before, reason)
    return rule


@atomic
def send_test(*, by: Actor, rule_id: UUID, reason: str = "") -> list[Notification]:
    """
    Send a message that says it is a test to everybody whom the rule tells.

    :raises Refused: ``not_found``, ``invalid`` where that is nobody
    """
    rule = _locked(rule_id)
    now = clock.now()
    everybody = dict.fromkeys([*places(rule), *places(rule, "escalated")])
    if not everybody:
        raise Refused("invalid", "The rule tells nobody: it has no recipients and no Slack address.")
    messages = [message(place, rule, now, test=True) for place in everybody]
    Notification.objects.bulk_create(messages)
    for one in messages:
        enqueue("alerts.send", {"notification_id": str(one.pk)})
    record(
        actor=by, action="alert_rule.test", object_type="alert_rule", object_id=rule.pk,
        after={"addresses": [f"{one.channel} {one.address}" for one in messages]}, reason=reason,
    )  # fmt: skip
    return messages


def represent(rule: AlertConfiguration) -> dict[str, Any]:
    """Return a rule as the audit trail and the API show it: of Slack's address, which is a secret, the host only."""
    return {
        "name": rule.name, "type": rule.type, "asset": rule.asset, "threshold": f"{rule.threshold.normalize():f}",
        "window_minutes": rule.window_minutes, "minimum_volume": rule.minimum_volume, "severity": rule.severity,
        "recipients": rule.recipients, "slack_host": slack_host(rule), "cooldown_minutes": rule.cooldown_minutes,
        "escalate_after_minutes": rule.escalate_after_minutes, "escalation_recipients": rule.escalation_recipients,
        "resolve_after": rule.resolve_after, "weekdays": rule.weekdays, "from_hour": rule.from_hour,
        "to_hour": rule.to_hour, "enabled": rule.enabled, "muted_until": rule.muted_until,
    }  # fmt: skip


def _locked(rule_id: UUID) -> AlertConfiguration:
    rule = AlertConfiguration.objects.select_for_update().filter(pk=rule_id).first()
    if rule is None:
        raise Refused("not_found", "There is no such alert rule.")
    return rule


def _end_alerts(rule: AlertConfiguration, now: datetime) -> None:
    """Nobody measures any more whether they last; what others raised was never measured, and lasts."""
    measured = Alert.objects.filter(configuration=rule, fingerprint__startswith=str(rule.pk))
    alerts = list(measured.exclude(state=Alert.State.RESOLVED).order_by("id").select_for_update())
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(state=Alert.State.RESOLVED, resolved_at=now)
    AlertStep.objects.bulk_create(
        AlertStep(alert=alert, at=now, step="ended", note="The rule was switched off.") for alert in alerts
    )


def _audit(by: Actor, act: str, rule: AlertConfiguration, before: dict[str, Any] | None, reason: str) -> None:
    record(
        actor=by, action=f"alert_rule.{act}", object_type="alert_rule", object_id=rule.pk, before=before,
        after=represent(rule), reason=reason,
    )  # fmt: skip


def _errors(rule: AlertConfiguration, address: str) -> dict[str, str]:
    """What is wrong with a rule, by field; ``address`` is a new one of Slack's."""
    found = {
        "type": "" if rule.type in TYPES else "There is no such type of alert.",
        "name": _name_error(rule),
        "asset": _asset_error(rule),
        "threshold": _threshold_error(rule.threshold),
        "window_minutes": _between(rule.window_minutes, 1, LONGEST_MINUTES),
        "minimum_volume": _between(rule.minimum_volume, 0, 10**9),
        "severity": "" if rule.severity in Severity.values else "It is critical, warning or info.",
        "recipients": _addresses_error(rule.recipients),
        "escalation_recipients": _addresses_error(rule.escalation_recipients),
        "slack_url": _slack_error(address),
        "cooldown_minutes": _between(rule.cooldown_minutes, 0, LONGEST_MINUTES),
        "escalate_after_minutes": _between(rule.escalate_after_minutes, 5, LONGEST_MINUTES),
        "resolve_after": _between(rule.resolve_after, 1, 100),
        "weekdays": "" if set(rule.weekdays) <= set(range(1, 8)) else "Days are 1 (Monday) to 7.",
        "from_hour": _between(rule.from_hour, 0, 23),
        "to_hour": _between(rule.to_hour, 1, 24)
        or ("It would never be evaluated: it ends as it begins." if rule.from_hour == rule.to_hour else ""),
    }
    return {name: words for name, words in found.items() if words}


def _name_error(rule: AlertConfiguration) -> str:
    if not rule.name.strip() or not rule.name.isprintable() or len(rule.name) > 80:
        return "A name has 1 to 80 visible characters."
    same = AlertConfiguration.objects.filter(name=rule.name).exclude(pk=rule.pk)
    return "Another rule has this name." if same.exists() else ""


def _asset_error(rule: AlertConfiguration) -> str:
    known = TYPES.get(rule.type)
    if not rule.asset or known is None:
        return ""
    if not known.has_asset:
        return "Alerts of this type are about no asset."
    return "" if Asset.objects.filter(code=rule.asset).exists() else "There is no such asset."


def _threshold_error(threshold: Decimal | None) -> str:
    if threshold is None or not threshold.is_finite() or abs(threshold) >= Decimal(10) ** 18:
        return "A threshold is a number of 18 digits at most."
    exponent = threshold.as_tuple().exponent
    return "" if isinstance(exponent, int) and exponent >= -8 else "A threshold has 8 decimals at most."


def _addresses_error(addresses: list[str]) -> str:
    if len(addresses) > MOST_ADDRESSES:
        return f"There are {MOST_ADDRESSES} addresses at most."
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            return f"{address[:60]} is no e-mail address."
        if len(address) > 254:
            return "An e-mail address has 254 characters at most."
    lower = [address.lower() for address in addresses]
    return "" if len(set(lower)) == len(lower) else "An address is there twice."


def _slack_error(address: str) -> str:
    if not address:
        return ""
    if len(address) > 500:
        return "An address has 500 characters at most."
    try:
        check_url(address)
    except Problem as problem:
        return problem.detail
    return ""


def _between(number: int | None, least: int, most: int) -> str:
    return "" if number is None or least <= number <= most else f"It is a number from {least} to {most}."
