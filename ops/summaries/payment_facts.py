"""Facts of payments: what settled and failed, of which asset and why, against the window before."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Sum

from ledger.models import Asset
from ops.failures.models import PEOPLE, ClientFigure
from ops.failures.words import words
from ops.models import PaymentFigure, SettlementTotal
from ops.summaries.facts import CLOCK, Fact, Facts, amount, count, grouped, share
from ops.summaries.pages import page, payments
from ops.summaries.windows import Window
from payments.models import Payment

# A kind of a later release is shown by its name.
KINDS = dict(Payment.Kind.choices)
MOST_ASSETS, MOST_CODES, MOST_KINDS, MOST_WALLETS, MOST_CLIENTS = 5, 6, 5, 3, 3
# Shorter than this, a window has no worst hour.
HOURS_TO_COMPARE = timedelta(hours=6)
DAY = timedelta(days=1)

_BY_OUTCOME = """
    SELECT asset, kind, outcome, code, begins_at >= %(begins)s, sum(payments)::bigint, sum(amount)
      FROM payment_figures
     WHERE span = %(span)s AND begins_at >= %(before)s AND begins_at < %(ends)s
       AND outcome IN ('settled', 'failed', 'voided', 'expired')
     GROUP BY 1, 2, 3, 4, 5
"""
_FAILURES_BY_TIME = """
    SELECT begins_at, sum(payments)::bigint
      FROM payment_figures
     WHERE span = %(span)s AND begins_at >= %(begins)s AND begins_at < %(ends)s AND outcome = 'failed'
       AND (code = %(code)s OR %(code)s = '')
     GROUP BY 1
"""


@dataclass(slots=True)
class Sums:
    """Counts and minor units of one window, each by what it is asked for."""

    outcomes: Counter[str] = field(default_factory=Counter)
    refunds: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    assets: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    amounts: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


def payment_facts(facts: Facts, code: str) -> Iterator[Fact]:
    """Yield what payments came to; with ``code``, more of the failures of that code."""
    window = facts.window
    now, before = _sums(window)
    for outcome in ("settled", "failed", "expired", "voided"):
        noun = "payments" if outcome in ("settled", "failed") else "authorizations"
        link = payments(window, status=outcome.upper())
        yield count(
            f"payments.{outcome}", f"{noun} {outcome}", now.outcomes[outcome], before.outcomes[outcome], link=link
        )
    refunds = payments(window, kind="refund")
    yield count("refunds.settled", "refunds settled", now.refunds, before.refunds, link=refunds)
    rate = share("payments.success_rate", "success rate", _decided(now), _decided(before), link=payments(window))
    if rate is not None:
        yield rate
    yield from _asset_facts(facts, now, before)
    for one, failed in now.codes.most_common(MOST_CODES):
        link = payments(window, status="FAILED", code=one)
        yield count(f"failures.{one}", f"{_words(one)} failures", failed, before.codes[one], link=link)
    yield from _client_facts(facts)
    yield from _worst_hour(window)
    if code:
        yield from _incident_facts(window, now, before, code)


def _sums(window: Window) -> tuple[Sums, Sums]:
    parameters: dict[str, str | datetime] = {
        "span": window.span, "before": window.before.begins_at, "begins": window.begins_at, "ends": window.ends_at,
    }  # fmt: skip
    now, before = Sums(), Sums()
    with connection.cursor() as cursor:
        cursor.execute(_BY_OUTCOME, parameters)
        for asset, kind, outcome, code, in_window, payments, minor in cursor:
            sums = now if in_window else before
            sums.outcomes[outcome] += payments
            sums.assets[asset][outcome] += payments
            sums.amounts[asset][outcome] += int(minor)
            if outcome == "failed":
                sums.codes[code] += payments
                sums.kinds[code, kind] += payments
            elif outcome == "settled" and kind in (Payment.Kind.REFUND, Payment.Kind.REVERSAL):
                sums.refunds += payments
    return now, before


def _decided(sums: Sums) -> tuple[int, int]:
    return sums.outcomes["settled"], sums.outcomes["settled"] + sums.outcomes["failed"]


def _asset_facts(facts: Facts, now: Sums, before: Sums) -> Iterator[Fact]:
    busiest = sorted(now.assets, key=lambda code: (-now.assets[code].total(), code))[:MOST_ASSETS]
    scales = dict(Asset.objects.filter(code__in=busiest).values_list("code", "scale"))
    for asset in busiest:
        for outcome in ("settled", "failed"):
            yield amount(
                f"{asset}.{outcome}_amount", f"{outcome} amount", now.amounts[asset][outcome],
                before.amounts[asset][outcome], asset, scales[asset],
                link=payments(facts.window, status=outcome.upper(), asset=asset),
            )  # fmt: skip
    if busiest and facts.window.span == PaymentFigure.Span.DAY and facts.window.length == DAY:
        yield from _payers(facts, busiest[0], scales[busiest[0]])


def _payers(facts: Facts, asset: str, scale: int) -> Iterator[Fact]:
    """The wallets out of which most went on a day."""
    totals = SettlementTotal.objects.filter(
        day=facts.window.begins_at.date(), asset=asset, account_kind="wallet", debits__gt=0
    ).order_by("-debits")[:MOST_WALLETS]
    for total in totals:
        name = facts.pseudonym("wallet", total.account_id)
        assert name is not None  # there are more letters than wallets asked for
        yield Fact(
            f"{name.replace(' ', '_')}.paid", f"paid out of {name}", grouped(int(total.debits), scale), asset,
            subject=name, link=page("wallets_wallet_change", total.account_id),
        )  # fmt: skip


def _client_facts(facts: Facts) -> Iterator[Fact]:
    """The client systems with the most failures; people in the console and in apps are none."""
    if facts.window.span == PaymentFigure.Span.MINUTE:
        return
    failed = (
        ClientFigure.objects.filter(
            span=facts.window.span, begins_at__gte=facts.window.begins_at, begins_at__lt=facts.window.ends_at,
            outcome="failed",
        )
        .exclude(client_id=PEOPLE)
        .values("client_id")
        .annotate(failed=Sum("payments"))
        .order_by("-failed", "client_id")[:MOST_CLIENTS]
    )  # fmt: skip
    for row in failed:
        name = facts.pseudonym("client", row["client_id"])
        assert name is not None  # there are more letters than clients asked for
        key, label = f"{name.replace(' ', '_')}.failed", f"payments failed of {name}"
        yield count(key, label, row["failed"], subject=name, link=page("identity_client_change", row["client_id"]))


def _worst_hour(window: Window) -> Iterator[Fact]:
    if window.length < HOURS_TO_COMPARE or window.length > DAY or window.span == PaymentFigure.Span.MINUTE:
        return
    hours = _failures(PaymentFigure.Span.HOUR, window, "")
    if hours:
        worst = max(hours, key=lambda hour: (hours[hour], hour))
        link = payments(Window(worst, worst + timedelta(hours=1)), status="FAILED")
        yield Fact("failures.worst_hour", "worst hour for failures", f"{worst:%H:%M}", CLOCK, link=link)
        yield count("failures.in_worst_hour", "failures in the worst hour", hours[worst], link=link)


def _incident_facts(window: Window, now: Sums, before: Sums, code: str) -> Iterator[Fact]:
    failure, link = _words(code), payments(window, status="FAILED", code=code)
    if code not in dict(now.codes.most_common(MOST_CODES)):
        yield count(f"failures.{code}", f"{failure} failures", now.codes[code], before.codes[code], link=link)
    kinds = Counter({kind: failed for (one, kind), failed in now.kinds.items() if one == code})
    for kind, failed in kinds.most_common(MOST_KINDS):
        label = f"{failure} failures of kind {KINDS.get(kind, kind).lower()}"
        yield count(f"failures.{code}.{kind}", label, failed, before.kinds[code, kind], link=link)
    if window.length <= DAY:
        minutes = _failures(PaymentFigure.Span.MINUTE, window, code)
        if minutes:
            worst = max(minutes, key=lambda minute: (minutes[minute], minute))
            yield Fact(f"failures.{code}.first", f"first {failure} failure", f"{min(minutes):%H:%M}", CLOCK, link=link)
            yield Fact(f"failures.{code}.last", f"last {failure} failure", f"{max(minutes):%H:%M}", CLOCK, link=link)
            yield Fact(f"failures.{code}.worst", f"worst minute of {failure}", f"{worst:%H:%M}", CLOCK, link=link)
            yield count(
                f"failures.{code}.in_worst", f"{failure} failures in the worst minute", minutes[worst], link=link
            )


def _failures(span: str, window: Window, code: str) -> dict[datetime, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            _FAILURES_BY_TIME, {"span": span, "begins": window.begins_at, "ends": window.ends_at, "code": code}
        )
        return dict(cursor.fetchall())


def _words(code: str) -> str:
    """A failure's code in a label's words: insufficient funds."""
    return words(code).title.lower()
