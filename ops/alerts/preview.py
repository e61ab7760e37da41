"""What a rule would have done: its last seven days, evaluation by evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from ledger.ids import EPOCH
from ops.alerts.evaluating import is_due
from ops.alerts.models import Alert, AlertConfiguration
from ops.alerts.read_models import AlertSample
from ops.alerts.reading import Point
from ops.alerts.sliding import floor
from ops.alerts.types import TYPES
from ops.charts import Chart, Series

SPAN = timedelta(days=7)
# Points that a chart shows: an hour's each, the worst of it.
SHOWN = timedelta(hours=1)
# Around an alert: before it and after it, and up to which span every evaluation is shown.
BEFORE, AFTER, LONGEST_IN_FULL = timedelta(hours=12), timedelta(hours=1), timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Preview:
    """
    ``fired`` alerts of ``evaluations``, of which ``breached`` found something to alert about; ``busiest`` is the
    greatest volume of a window. ``series`` are the points by subject.
    """

    fired: int
    evaluations: int
    breached: int
    busiest: int
    series: dict[str, list[Point]]

    @property
    def words(self) -> str:
        if not self.evaluations:
            return "Nothing of this kind was measured in the last 7 days."
        times = {0: "not", 1: "once", 2: "twice"}.get(self.fired, f"{self.fired} times")
        return f"Would have fired {times} in the last 7 days."


def preview(rule: AlertConfiguration, now: datetime) -> Preview:
    """Return what a rule, saved or not, would have done in the last seven days."""
    known = TYPES[rule.type]
    found = (known.history or _measured)(rule, now - SPAN, now)
    series = {subject: [point for point in points if is_due(rule, point.at)] for subject, points in found.items()}
    judged = {
        subject: [known.breached(rule, point.value, point.volume) for point in points]
        for subject, points in series.items()
    }
    points = [point for one in series.values() for point in one]
    return Preview(
        fired=sum(_began(breaches, rule.resolve_after) for breaches in judged.values()),
        evaluations=len(points),
        breached=sum(map(sum, judged.values())),
        busiest=max((point.volume for point in points), default=0),
        series=series,
    )


def chart(
    rule: AlertConfiguration, series: dict[str, list[Point]], *, name: str, title: str, step: timedelta = SHOWN
) -> Chart:
    """Return the worst of each ``step``, an hour's or of five minutes, beside the threshold."""
    known = TYPES[rule.type]
    worst = min if known.below else max
    found: dict[datetime, Decimal | None] = {}
    for points in series.values():
        for point in points:
            at = EPOCH + (point.at - EPOCH) // step * step
            known_so_far = found.setdefault(at, None)
            # Of too few to tell it says nothing: a gap.
            if not known.has_volume or point.volume >= rule.minimum_volume:
                found[at] = point.value if known_so_far is None else worst(known_so_far, point.value)
    moments = sorted(found)
    values = [None if (value := found[at]) is None else float(value) for at in moments]
    return Chart(
        name=name, title=title, kind="line", labels=[f"{at:%d %b %H:%M}" for at in moments],
        series=[
            Series(f"Measured ({known.unit})", values, "primary"),
            Series("Threshold", [float(rule.threshold)] * len(moments), "danger", dashed=True),
        ],
    )  # fmt: skip


def alert_chart(alert: Alert) -> Chart | None:
    """Return what was measured around an alert: from half a day before it began until it was over; None: nothing."""
    # A type that a later version has no more still has its alerts.
    if alert.configuration is None or alert.configuration.type not in TYPES:
        return None
    until = alert.resolved_at or alert.last_seen
    samples = AlertSample.objects.filter(
        configuration=alert.configuration,
        subject=alert.subject,
        at__gte=alert.first_seen - BEFORE,
        at__lte=until + AFTER,
    )
    points = [
        Point(at, value, volume) for at, value, volume in samples.order_by("at").values_list("at", "value", "volume")
    ]
    if not points:
        return None
    step = SHOWN if points[-1].at - points[0].at > LONGEST_IN_FULL else timedelta(minutes=5)
    title = "Measured, and the threshold"
    return chart(alert.configuration, {"": points}, name="alert-values", title=title, step=step)


def _began(breaches: Sequence[bool], resolve_after: int) -> int:
    """How many alerts there would have been: one ends after so many evaluations without a breach."""
    began, quiet = 0, resolve_after
    for breached in breaches:
        began += breached and quiet >= resolve_after
        quiet = 0 if breached else quiet + 1
    return began


def _measured(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    """What rules of the same type have measured: without a window, it is the same for all of them."""
    samples = AlertSample.objects.filter(configuration__type=rule.type, at__gte=since, at__lt=until)
    if rule.asset:
        samples = samples.filter(configuration__asset__in=["", rule.asset])
    found: dict[str, list[Point]] = {}
    rows = samples.values_list("subject", "at").annotate(value=Max("value"), volume=Max("volume"))
    for subject, at, value, volume in rows.order_by("subject", "at"):
        points = found.setdefault(subject, [])
        # Rules of one evaluation have one moment; two evaluations within five minutes count as one.
        if not points or floor(points[-1].at) != floor(at):
            points.append(Point(at, value, volume))
    return found
