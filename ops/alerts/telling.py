"""
Have people told: which alerts are news now, and to whom; one mail for each recipient, whatever
has happened. Slack is told by each rule for itself, as its address may change while a message waits.

A rule that has told something keeps to its cooldown: what begins meanwhile waits, and is told together. The ends of
what was told wait for each other likewise. What is muted is on record and not told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet

from ledger.ids import id_maker
from ops.alerts.models import Alert, AlertConfiguration, AlertStep, Notification, NotifiedAlert, Severity
from ops.alerts.sealing import unseal
from ops.jobs.queueing import enqueue

State, Word, Channel = Alert.State, NotifiedAlert.Word, Notification.Channel
News = tuple[Alert, str]
Rules = dict[UUID | None, AlertConfiguration]
# A channel, and an e-mail address or the id of the rule whose Slack address it is by the time it is sent.
Place = tuple[str, str]


def tell(now: datetime) -> list[Notification]:
    """Make the messages that are due, to be sent, in the caller's transaction."""
    rules: Rules = {rule.pk: rule for rule in AlertConfiguration.objects.all() if not _muted(rule, now)}
    began, escalated, ended = _began(rules, now), _escalated(rules, now), _ended(rules, now)
    told: dict[Place, list[News]] = defaultdict(list)
    owners: dict[Place, AlertConfiguration] = {}
    for alerts, word in ((began, Word.BEGAN), (escalated, Word.ESCALATED), (ended, Word.ENDED)):
        for alert in alerts:
            rule = rules[alert.configuration_id]
            for place in places(rule, word):
                told[place].append((alert, word))
                owners.setdefault(place, rule)
    messages = _write(told, owners, now)
    _mark(began, "told_at", now)
    _mark(escalated, "escalated_at", now)
    _mark(ended, "end_told_at", now)
    AlertStep.objects.bulk_create(AlertStep(alert=alert, at=now, step="escalated") for alert in escalated)
    AlertConfiguration.objects.filter(pk__in={alert.configuration_id for alert in began}).update(told_at=now)
    return messages


def places(rule: AlertConfiguration, word: str = Word.BEGAN) -> list[Place]:
    """Return where a rule's news of a kind goes; in their order, each once."""
    addresses = rule.escalation_recipients if word == Word.ESCALATED else rule.recipients
    mail = [(str(Channel.EMAIL), address) for address in addresses]
    slack = [(str(Channel.SLACK), str(rule.pk))] if word != Word.ESCALATED and slack_host(rule) else []
    return list(dict.fromkeys([*mail, *slack]))


def message(place: Place, rule: AlertConfiguration, now: datetime, *, test: bool = False) -> Notification:
    """Return a message to a place, unsaved; of Slack's address, which is a secret, only the host is kept."""
    channel, address = place
    shown = slack_host(rule) if channel == Channel.SLACK else address
    return Notification(
        id=id_maker(at=now)(), channel=channel, address=shown, configuration=rule, is_test=test, created_at=now
    )


def slack_host(rule: AlertConfiguration) -> str:
    """Return what may be shown of a rule's Slack address; "" where it has none, or none that can be read any more."""
    return (urlsplit(unseal(rule.slack_url)).hostname or "") if rule.slack_url else ""


def _is_heard(rule: AlertConfiguration) -> bool:
    """Whether anybody is told, now or when nobody acknowledges."""
    return bool(places(rule) or rule.escalation_recipients)


def _began(rules: Rules, now: datetime) -> list[Alert]:
    ready = [rule for rule in rules.values() if rule.enabled and _cool(rule, now) and _is_heard(rule)]
    waiting = Alert.objects.filter(configuration__in=ready, told_at=None, state=State.PENDING)
    return _locked(waiting, now)


def _escalated(rules: Rules, now: datetime) -> list[Alert]:
    found = []
    for rule in rules.values():
        if rule.escalate_after_minutes is None or not rule.escalation_recipients:
            continue
        late = now - timedelta(minutes=rule.escalate_after_minutes)
        found += _locked(
            Alert.objects.filter(
                configuration=rule, severity=Severity.CRITICAL, state__in=[State.PENDING, State.SENT],
                told_at__lte=late, escalated_at=None,
            ),
            now,
        )  # fmt: skip
    return found


def _ended(rules: Rules, now: datetime) -> list[Alert]:
    """What was told and is over: of each rule together, when all of it is, or the cooldown."""
    over = _locked(
        Alert.objects.filter(
            configuration__in=rules.values(), told_at__isnull=False, end_told_at=None, state=State.RESOLVED
        ),
        now,
    )
    told = Alert.objects.filter(configuration__in={alert.configuration_id for alert in over}, told_at__isnull=False)
    lasting = set(told.exclude(state=State.RESOLVED).values_list("configuration_id", flat=True))
    return [a for a in over if a.configuration_id not in lasting or _cool(rules[a.configuration_id], now)]


def _locked(alerts: QuerySet[Alert], now: datetime) -> list[Alert]:
    return [alert for alert in alerts.order_by("id").select_for_update() if not _muted(alert, now)]


def _muted(one: Alert | AlertConfiguration, now: datetime) -> bool:
    return one.muted_until is not None and one.muted_until > now


def _cool(rule: AlertConfiguration, now: datetime) -> bool:
    return rule.told_at is None or rule.told_at + timedelta(minutes=rule.cooldown_minutes) <= now


def _write(told: dict[Place, list[News]], owners: dict[Place, AlertConfiguration], now: datetime) -> list[Notification]:
    messages = {place: message(place, owners[place], now) for place in told}
    Notification.objects.bulk_create(messages.values())
    NotifiedAlert.objects.bulk_create(
        NotifiedAlert(notification=messages[place], alert=alert, word=word)
        for place, news in told.items()
        for alert, word in news
    )
    for one in messages.values():
        enqueue("alerts.send", {"notification_id": str(one.pk)})
    return list(messages.values())


def _mark(alerts: Iterable[Alert], field: str, now: datetime) -> None:
    Alert.objects.filter(pk__in=[alert.pk for alert in alerts]).update(**{field: now})
