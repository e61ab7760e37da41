"""Facts of the platform itself: holds, reconciliation, events and webhooks, as they are now or were in the window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Min, Sum

from events.lag import lag, webhooks
from events.models import Cursor, Event, OutboxEvent
from ledger.ids import lowest_id
from ledger.models import Asset
from ops.alerts.models import Alert, Severity
from ops.models import Finding, OpenHold, ReconciliationRun
from ops.summaries.facts import Fact, count, grouped
from ops.summaries.pages import page
from ops.summaries.windows import Window

MOST_ASSETS = 3
HOUR = timedelta(hours=1)
# The consumers of the log that count payments.
COUNTING = ("figures", "failures")


def health_facts(window: Window, now: datetime) -> Iterator[Fact]:
    yield from _holds(now)
    yield from _alerts(window)
    yield from _reconciliation(window)
    yield from _events()


def figures_behind(window: Window) -> bool:
    """Whether something that happened in the window is not in the figures yet."""
    positions = dict(Cursor.objects.filter(name__in=COUNTING).values_list("name", "position"))
    position = min(positions.get(name, 0) for name in COUNTING)
    waiting = (
        Event.objects.filter(position__gt=position).order_by("position").values_list("time", flat=True)[:1],
        OutboxEvent.objects.order_by("id").values_list("time", flat=True)[:1],
    )
    return any(time < window.ends_at for times in waiting for time in times)


def _holds(now: datetime) -> Iterator[Fact]:
    link = page("ops_openhold_changelist") or page("payments_payment_changelist")
    held = OpenHold.objects.values("asset").annotate(holds=Count("pk"), held=Sum("held"), oldest=Min("created_at"))
    by_asset = sorted(held, key=lambda row: (-row["holds"], row["asset"]))
    yield count("holds.open", "open holds", sum(row["holds"] for row in by_asset), link=link)
    if by_asset:
        age = (now - min(row["oldest"] for row in by_asset)) // HOUR
        yield Fact("holds.oldest", "age of the oldest open hold", f"{age:,}", "hours", link=link)
    shown = by_asset[:MOST_ASSETS]
    scales = dict(Asset.objects.filter(code__in=[row["asset"] for row in shown]).values_list("code", "scale"))
    for row in shown:
        asset = row["asset"]
        yield Fact(f"{asset}.held", "held amount", grouped(int(row["held"]), scales[asset]), asset, link=link)


def _alerts(window: Window) -> Iterator[Fact]:
    link = page("ops_alert_changelist")
    began = Alert.objects.filter(id__gte=lowest_id(window.begins_at), id__lt=lowest_id(window.ends_at))
    by_severity = dict(began.values_list("severity").annotate(Count("pk")))
    for severity in (Severity.CRITICAL, Severity.WARNING):
        label = f"new {severity.label.lower()} alerts"
        yield count(f"alerts.{severity.value}", label, by_severity.get(severity, 0), link=link)
    lasting = Alert.objects.filter(state__in=[state for state in Alert.State if state != Alert.State.RESOLVED])
    yield count("alerts.open", "lasting alerts", lasting.count(), link=link)


def _reconciliation(window: Window) -> Iterator[Fact]:
    runs = ReconciliationRun.objects.filter(id__gte=lowest_id(window.begins_at), id__lt=lowest_id(window.ends_at))
    by_state = dict(runs.values_list("state").annotate(Count("pk")))
    link = page("ops_reconciliationrun_changelist")
    for state, label in (
        ("CLEAN", "clean reconciliations"),
        ("FINDINGS", "reconciliations with findings"),
        ("FAILED", "broken reconciliations"),
    ):
        yield count(f"reconciliation.{state.lower()}", label, by_state.get(state, 0), link=link)
    findings = Finding.objects.filter(id__gte=lowest_id(window.begins_at), id__lt=lowest_id(window.ends_at))
    link = page("ops_finding_changelist")
    yield count("findings.new", "new findings", findings.count(), link=link)
    unresolved = Finding.objects.filter(state=Finding.State.OPEN).count()
    yield count("findings.open", "unresolved findings", unresolved, link=link)


def _events() -> Iterator[Fact]:
    now, sent = lag(), webhooks()
    aside = sum(reader.parked for reader in now.readers)
    uncounted = max((reader.behind for reader in now.readers if reader.name in COUNTING), default=0)
    readers = page("events_cursor_changelist")
    yield count("events.waiting", "events in the outbox", now.waiting, link=readers)
    yield count("events.uncounted", "events yet to be counted", uncounted, link=readers)
    yield count("events.set_aside", "events set aside", aside, link=page("events_parkedevent_changelist"))
    deliveries = page("events_webhookdelivery_changelist")
    yield count("webhooks.pending", "pending webhook deliveries", sent.pending, link=deliveries)
    yield count("webhooks.given_up", "abandoned webhook deliveries", sent.given_up, link=deliveries)
    yield count(
        "webhooks.failing", "failing webhook endpoints", sent.failing, link=page("events_webhookendpoint_changelist")
    )
