"""Rules about requests and payments that should not have been: errors of ours, repeats."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.db.models import Sum

from ops.alerts.models import AlertConfiguration
from ops.alerts.read_models import RepeatedPayment, RequestTrouble
from ops.alerts.reading import Point, Reading, counted, span_of, window_words
from ops.alerts.sliding import BUCKET, slid, steps_of

KEY_REUSED = "idempotency_key_reused"
_ERRORS = f"""
    SELECT {BUCKET.format("begins_at")}, sum(requests) FILTER (WHERE code <> %(key)s),
           sum(requests) FILTER (WHERE code = %(key)s)
      FROM request_troubles WHERE begins_at >= %(since)s AND begins_at < %(until)s GROUP BY 1
"""
_REPEATS = f"""
    SELECT {BUCKET.format("at")}, count(*) FROM repeated_payments
     WHERE at >= %(since)s AND at < %(until)s AND (%(asset)s = '' OR asset = %(asset)s) GROUP BY 1
"""


def system_errors(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Requests that were answered with a 5xx."""
    since, until = span_of(rule, now)
    troubles = RequestTrouble.objects.filter(begins_at__gte=since, begins_at__lt=until).exclude(code=KEY_REUSED)
    codes: dict[str, int] = dict(troubles.values_list("code").annotate(many=Sum("requests")).order_by("-many"))
    many = sum(codes.values())
    words = f"{counted(many, 'request')} failed on our side"
    by_code = ", ".join(f"{code.replace('_', ' ')} {count}" for code, count in list(codes.items())[:5])
    detail = f"{words} {window_words(rule, now)}" + (f": {by_code}." if by_code else ".")
    return [Reading(Decimal(many), words, detail)]


def repeated_duplicates(rule: AlertConfiguration, now: datetime) -> list[Reading]:
    """Payments like one shortly before; and, where the rule is about every asset, keys sent with another request."""
    payments = _repeated_payments(rule, now)
    return [payments] if rule.asset else [payments, _reused_keys(rule, now)]


def _repeated_payments(rule: AlertConfiguration, now: datetime) -> Reading:
    since, until = span_of(rule, now)
    repeats = RepeatedPayment.objects.filter(at__gte=since, at__lt=until)
    if rule.asset:
        repeats = repeats.filter(asset=rule.asset)
    many, latest = repeats.count(), repeats.order_by("-at").first()
    words = f"{counted(many, 'payment')} like one shortly before"
    detail = f"{words} {window_words(rule, now)}."
    if latest is None:
        return Reading(Decimal(many), words, detail, "payments", asset=rule.asset)
    detail += f" The latest repeats payment {latest.earlier_id}."
    about = ("payment", str(latest.payment_id))
    return Reading(Decimal(many), words, detail, "payments", asset=rule.asset, about=about)


def _reused_keys(rule: AlertConfiguration, now: datetime) -> Reading:
    since, until = span_of(rule, now)
    keys = RequestTrouble.objects.filter(begins_at__gte=since, begins_at__lt=until, code=KEY_REUSED)
    many = keys.aggregate(many=Sum("requests"))["many"] or 0
    words = f"{counted(many, 'request')} with the key of another"
    return Reading(Decimal(many), words, f"{words} {window_words(rule, now)}.", "keys")


def system_errors_history(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    return {"": _points(rule, _ERRORS, since, until, 0)}


def repeated_duplicates_history(rule: AlertConfiguration, since: datetime, until: datetime) -> dict[str, list[Point]]:
    found = {"payments": _points(rule, _REPEATS, since, until, 0)}
    return found if rule.asset else found | {"keys": _points(rule, _ERRORS, since, until, 1)}


def _points(rule: AlertConfiguration, statement: str, since: datetime, until: datetime, column: int) -> list[Point]:
    steps = steps_of(rule)
    asked: dict[str, Any] = {
        "key": KEY_REUSED, "asset": rule.asset, "since": since - timedelta(minutes=5 * (steps + 1)), "until": until,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        counts = {at: (int(numbers[column] or 0),) for at, *numbers in cursor.fetchall()}
    return [Point(at, Decimal(many)) for at, (many,) in slid(counts, steps, since, until, 1).items()]
