"""
Evaluate all rules that are due: measure in one snapshot, then put on record what began, lasts and ended.

An alert opens when its condition begins and counts while it lasts; it ends by itself when the condition has not held
for as many evaluations as its rule says. Evaluated twice at once, one waits for the other, and finds it done.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.alerts.models import Alert, AlertConfiguration, AlertStep
from ops.alerts.read_models import AlertSample, LatestPayment, RequestTrouble
from ops.alerts.reading import Reading
from ops.alerts.repeats import REPEATED_WITHIN
from ops.alerts.telling import tell
from ops.alerts.types import TYPES

logger = logging.getLogger(__name__)

State = Alert.State
# Of one rule; beyond it the rest waits until some of these have ended.
MOST_ALERTS = 1_000
MOST_SAMPLES = 50
SAMPLES_KEPT, TROUBLES_KEPT = timedelta(days=8), timedelta(days=30)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('evaluate alerts', 0))"

_AGAIN = """
    UPDATE alerts a SET occurrences = a.occurrences + 1, last_seen = greatest(a.last_seen, %s), quiet = 0,
           value = n.value, detail = n.detail
      FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS n (id, value, detail) WHERE a.id = n.id
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule came to: all readings, and those to alert about."""

    rule: AlertConfiguration
    readings: list[Reading]

    def breaches(self) -> list[Reading]:
        known = TYPES[self.rule.type]
        found = [one for one in self.readings if known.breached(self.rule, one.value, one.volume)]
        return found[:MOST_ALERTS]


def evaluate() -> None:
    """Evaluate the rules that are due now, and have people told of what is new to them."""
    now, measured = measure()
    with atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(_LOCK)
        measured = _locked(measured)
        for one in measured:
            _record(one, now)
        _sample(measured, now)
        tell(now)
    _forget(now)


@atomic(durable=True)
def measure() -> tuple[datetime, list[Measured]]:
    """Return the moment, and what the rules that are due come to, all of one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    now = clock.now()
    rules = AlertConfiguration.objects.filter(enabled=True, type__in=TYPES).order_by("id")
    return now, [found for rule in rules if is_due(rule, now) and (found := _measured(rule, now)) is not None]


def is_due(rule: AlertConfiguration, moment: datetime) -> bool:
    """Return whether a rule is evaluated at a moment; hours that end before they begin go over midnight."""
    if rule.weekdays and moment.isoweekday() not in rule.weekdays:
        return False
    if rule.from_hour < rule.to_hour:
        return rule.from_hour <= moment.hour < rule.to_hour
    return moment.hour >= rule.from_hour or moment.hour < rule.to_hour


def _measured(rule: AlertConfiguration, now: datetime) -> Measured | None:
    """None where measuring fails: the other rules are evaluated all the same."""
    try:
        with atomic():
            return Measured(rule, TYPES[rule.type].read(rule, now))
    except Exception:
        logger.exception("The alert rule %s could not be evaluated", rule.name)
        return None


def _locked(measured: Sequence[Measured]) -> list[Measured]:
    """
    Lock all rules, then all alerts that something may come of: in the order of who changes a rule or sends a message.

    Return what was measured by rules that are as they were; one that was changed meanwhile is measured anew next time.
    """
    # Not FOR UPDATE: whoever raises an alert meanwhile refers to its rule, and does not wait.
    rules = AlertConfiguration.objects.order_by("id").select_for_update(no_key=True)
    versions = dict(rules.values_list("pk", "version"))
    matter = ~Q(state=State.RESOLVED) | Q(told_at__isnull=False, end_told_at__isnull=True)
    list(Alert.objects.filter(matter).order_by("id").select_for_update().values_list("pk"))
    return [one for one in measured if versions.get(one.rule.pk) == one.rule.version]


def _record(measured: Measured, now: datetime) -> None:
    rule = measured.rule
    # Not those that others raised, which have fingerprints of their own.
    open_ones = Alert.objects.filter(configuration=rule, fingerprint__startswith=str(rule.pk)).exclude(
        state=State.RESOLVED
    )
    known = {alert.fingerprint: alert for alert in open_ones}
    breaches = {_fingerprint(rule, reading): reading for reading in measured.breaches()}
    _count([(known[name], reading) for name, reading in breaches.items() if name in known], now)
    _open(rule, [(name, reading) for name, reading in breaches.items() if name not in known], now)
    _end_quiet(rule, [alert for name, alert in known.items() if name not in breaches], now)


def _fingerprint(rule: AlertConfiguration, reading: Reading) -> str:
    return f"{rule.pk} {reading.subject}".strip()


def _count(lasting: Sequence[tuple[Alert, Reading]], now: datetime) -> None:
    """One occurrence more of each, with what is measured now."""
    rows = [
        (alert.pk, TYPES[alert.type].told(reading.value, reading.asset)[:40], reading.detail[:2000])
        for alert, reading in lasting
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(_AGAIN, [now, *(list(column) for column in zip(*rows, strict=True))])


def _open(rule: AlertConfiguration, breaches: Sequence[tuple[str, Reading]], now: datetime) -> None:
    known, new_id = TYPES[rule.type], id_maker(at=now)
    alerts = [
        Alert(
            id=new_id(), configuration=rule, type=rule.type, fingerprint=fingerprint, severity=rule.severity,
            title=reading.title[:200], detail=reading.detail[:2000], subject=reading.subject[:80],
            subject_type=reading.about[0], subject_id=reading.about[1], asset=reading.asset,
            value=known.told(reading.value, reading.asset)[:40],
            threshold=known.told(rule.threshold, reading.asset)[:40], first_seen=now, last_seen=now,
        )
        for fingerprint, reading in breaches
    ]  # fmt: skip
    Alert.objects.bulk_create(alerts)
    AlertStep.objects.bulk_create(AlertStep(alert=alert, at=now, step="began", note=alert.value) for alert in alerts)


def _end_quiet(rule: AlertConfiguration, quiet: Sequence[Alert], now: datetime) -> None:
    ended = [alert for alert in quiet if alert.quiet + 1 >= rule.resolve_after]
    Alert.objects.filter(pk__in=[alert.pk for alert in quiet]).update(quiet=F("quiet") + 1)
    Alert.objects.filter(pk__in=[alert.pk for alert in ended]).update(state=State.RESOLVED, resolved_at=now)
    AlertStep.objects.bulk_create(AlertStep(alert=alert, at=now, step="ended") for alert in ended)


def _sample(measured: Sequence[Measured], now: datetime) -> None:
    """Keep what was found, for charts and previews."""
    samples = [
        AlertSample(
            configuration=one.rule, subject=reading.subject[:80], at=now, value=reading.value, volume=reading.volume
        )
        for one in measured
        for reading in one.readings[:MOST_SAMPLES]
    ]
    AlertSample.objects.bulk_create(samples, ignore_conflicts=True)


@atomic(durable=True)
def _forget(now: datetime) -> None:
    """Delete what no rule and no preview looks back to."""
    AlertSample.objects.filter(at__lt=now - SAMPLES_KEPT).delete()
    RequestTrouble.objects.filter(begins_at__lt=now - TROUBLES_KEPT).delete()
    LatestPayment.objects.filter(at__lt=now - REPEATED_WITHIN - timedelta(hours=1)).delete()
