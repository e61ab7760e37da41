"""Rules about payments as a whole: what the figures by minute say of a window."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median

from django.db import connection
from django.db.models import Sum

from ops.alerts.models import AlertConfiguration
from ops.alerts.reading import Point, Reading, plain, share, span_of, window_words
from ops.alerts.sliding import BUCKET, Counts, slid, steps_of, ticks
from ops.models import PaymentFigure

FINISHED = ("settled", "failed")
LIMIT_CODE = "limit_exceeded"
DAYS = 7
# On fewer days with payments nothing is usual yet.
FEWEST_DAYS = 3
_COUNTS = f"""
    SELECT {BUCKET.format("begins_at")}, coalesce(sum(payments), 0),
           coalesce(sum(payments) FILTER (WHERE outcome = 'failed'), 0),
           coalesce(sum(payments) FILTER (WHERE outcome = 'failed' AND code = %(code)s), 0)
      FROM payment_figures
     WHERE span = 'minute' AND begins_at >= %(since)s AND begins_at < %(until)s
       AND outcome IN ('settled', 'failed') AND (%(asset)s = '' OR asset = %(asset)s)
     GROUP BY 1
"""


def failure_rate(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Failed payments among those that came to an end."""
    finished, failed = _finished(rule, now)
    many = sum(failed.values())
    most = ", ".join(f"{code.replace('_', ' ')} {count}" for code, count in failed.most_common(3))
    detail = f"{many} of {finished} payments failed {window_words(rule, now)}" + (
        f"; most often: {most}." if most else "."
    )
    value = share(many, finished)
    return [Reading(value, f"{plain(value)} % of payments fail", detail, volume=finished, asset=rule.asset)]


def limit_pressure(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Payments declined by a limit among those that came to an end."""
    finished, failed = _finished(rule, now)
    value = share(failed[LIMIT_CODE], finished)
    detail = f"Limits declined {failed[LIMIT_CODE]} of {finished} payments {window_words(rule, now)}."
    return [Reading(value, f"Limits decline {plain(value)} % of payments", detail, volume=finished, asset=rule.asset)]


def unusual_volume(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """This window's payments against the same window of the days before; nothing while nothing is usual."""
    since, until = span_of(rule, now)
    day = timedelta(days=1)
    counts = [_total(rule, since - day * back, until - day * back) for back in range(DAYS + 1)]
    compared = factor(counts[0], counts[1:])
    if compared is None:
        return []
    usual, value = compared
    word = "more" if counts[0] >= usual else "fewer"
    detail = f"{counts[0]} payments came to an end {window_words(rule, now)}; usual at this time are {plain(usual)}."
    title = f"{plain(value)} times {word} payments than usual"
    return [Reading(value, title, detail, volume=max(int(usual), counts[0]), asset=rule.asset)]


def factor(count: int, before: list[int]) -> tuple[Decimal, Decimal] | None:
    """
    Return what is usual, and how many times more or fewer there are now; None where nothing is usual yet.

    Usual is the median, which one odd day does not move; within three times the usual scatter the factor is 1.
    """
    if sum(many > 0 for many in before) < FEWEST_DAYS:
        return None
    usual = Decimal(median(before))
    scatter = Decimal(median(abs(many - usual) for many in before))
    if abs(count - usual) <= 3 * Decimal("1.4826") * scatter:
        return usual, Decimal(1)
    lower, higher = sorted([Decimal(count), usual])
    return usual, (higher / max(lower, Decimal(1))).quantize(Decimal("0.1"))


def failure_rate_history(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    windows = _windows(rule, since, until)
    return {"": [Point(at, share(failed, finished), finished) for at, (finished, failed, _) in windows.items()]}


def limit_pressure_history(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    windows = _windows(rule, since, until)
    return {"": [Point(at, share(declined, finished), finished) for at, (finished, _, declined) in windows.items()]}


def unusual_volume_history(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    day = timedelta(days=1)
    windows = _windows(rule, since - day * DAYS, until)
    points = []
    for at in ticks(since, until):
        count, before = windows[at][0], [windows[at - day * back][0] for back in range(1, DAYS + 1)]
        compared = factor(count, before)
        if compared is not None:
            points.append(Point(at, compared[1], max(int(compared[0]), count)))
    return {"": points}


def _finished(rule: AlertConfiguration, now: datetime) -> tuple[int, Counter[str]]:
    """How many payments of the window came to an end, and the failed ones by code."""
    since, until = span_of(rule, now)
    figures = PaymentFigure.objects.filter(
        span="minute", begins_at__gte=since, begins_at__lt=until, outcome__in=FINISHED
    )
    if rule.asset:
        figures = figures.filter(asset=rule.asset)
    finished, failed = 0, Counter[str]()
    for outcome, code, payments in figures.values_list("outcome", "code").annotate(Sum("payments")).order_by():
        finished += payments
        if outcome == "failed":
            failed[code] += payments
    return finished, failed


def _total(rule: AlertConfiguration, since: datetime, until: datetime) -> int:
    return sum(many for many, *_ in _counts(rule, since, until).values())


def _windows(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[datetime, tuple[int, ...]]:
    steps = steps_of(rule)
    counts = _counts(rule, since - timedelta(minutes=5 * (steps + 1)), until)
    return slid(counts, steps, since, until, 3)


def _counts(rule: AlertConfiguration, since: datetime, until: datetime) -> Counts:
    """Of each five minutes: finished, failed, declined by a limit."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"code": LIMIT_CODE, "since": since, "until": until, "asset": rule.asset})
        return {at: (int(all_), int(failed), int(declined)) for at, all_, failed, declined in cursor.fetchall()}
