"""Failure analysis in the console: what fails and why, and a page for each code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from ops.charts import Chart, Series
from ops.failures.analysis import Analysis, Chosen, Group, add_amounts, analyse, change
from ops.failures.models import FailedPayment
from ops.failures.naming import client_titles, titles
from ops.failures.trend import Rise, Shared, Trend, began_with, rise, trend
from ops.failures.words import WORDS, words
from ops.overview.cards import NONE, Amount, Card, amount, change_since, compared, listed, number, percent, signed
from ops.overview.figures import read
from ops.overview.picks import Picks, picks
from ops.windows import HOUR, MINUTE, WEEK

NEEDS = "payments.view_payment"
KEPT = ("client", "wallet")
LISTED, EXAMPLES = 10, 20


@dataclass(frozen=True, slots=True)
class Row:
    """A group of failures as a table shows it: named, linked, with its share and how it changed."""

    group: Group
    title: str
    link: str
    share: str
    width: str
    change: str
    tone: str
    value: list[Amount]


@dataclass(frozen=True, slots=True)
class Began:
    """A rise in words: when, how much, and what its first payments share."""

    rise: Rise
    usual: str
    shared: list[tuple[Shared, str, str]]
    first: list[FailedPayment]


def failures(request: HttpRequest) -> HttpResponse:
    """The page of all failures; ``client`` and ``wallet`` in the address narrow it."""
    picked = _allowed(request)
    page = _page(picked, _chosen(picked), ["code", "category", "client", "wallet"])
    return _answer(request, "admin/failures/page.html", page | {"title": "Failures"})


def failure_code(request: HttpRequest, code: str) -> HttpResponse:
    """The page of one code: what it means, what to do, who has it, and the last payments that did."""
    picked = _allowed(request)
    # PostgreSQL knows no text with a NUL.
    if "\0" in code:
        raise Http404
    chosen = _chosen(picked, code=code)
    last = list(chosen.rows().order_by("-failed_at", "pk")[:EXAMPLES])
    if code not in WORDS and not last:
        raise Http404
    page = _page(picked, chosen, ["client", "wallet"], last)
    told = words(code)
    return _answer(request, "admin/failures/code.html", page | {"title": told.title, "code": code, "words": told})


def _answer(request: HttpRequest, template: str, page: dict[str, Any]) -> HttpResponse:
    return TemplateResponse(request, template, admin.site.each_context(request) | page)


def _allowed(request: HttpRequest) -> Picks:
    if not request.user.has_perm(NEEDS):
        raise PermissionDenied
    return picks(request, keep=KEPT)


def _chosen(picked: Picks, code: str | None = None) -> Chosen:
    return Chosen(picked.codes, code, _id(picked, "client"), _id(picked, "wallet"))


def _id(picked: Picks, name: str) -> UUID | None:
    """An id out of the address; what is none is taken out of it."""
    try:
        return UUID(picked.kept[name])
    except (KeyError, ValueError):
        picked.kept.pop(name, None)
        return None


def _page(picked: Picks, chosen: Chosen, by: Sequence[str], last: Sequence[FailedPayment] = ()) -> dict[str, Any]:
    analysis = analyse(window=picked.window, by=by, chosen=chosen, limit=LISTED)
    # Only of codes they are shown, besides the total's.
    add_amounts(analysis, by[0])
    minutes = picked.range.step == MINUTE
    told = trend(
        window=picked.window, step=MINUTE if minutes else HOUR, chosen=chosen,
        upto=picked.range.buckets(picked.now)[-1] + picked.range.step,
    )  # fmt: skip
    risen = None if minutes else rise(told.now, picked.window)
    shared, first = began_with(risen, chosen) if risen else ([], [])
    clients = client_titles(
        {group.key for group in analysis.groups["client"]}
        | {one.key for one in shared if one.dimension == "client"}
        | {str(one.client_id) for one in last}
        | ({str(chosen.client)} if chosen.client else set())
    )
    naming = _Naming(clients, picked)
    return {
        "picks": picked,
        "cards": _cards(analysis, chosen, naming),
        "chart": _chart(told, chosen, picked),
        "began": _began(risen, shared, first, naming) if risen else None,
        "tables": {name: _rows(analysis, name, naming) for name in by},
        "more": analysis.more,
        "total": analysis.total,
        "narrowed": _narrowed(chosen, naming),
        "examples": [_example(one, naming) for one in last],
    }


@dataclass(frozen=True, slots=True)
class _Naming:
    """What keys are called, and where they lead; all clients were looked up at once."""

    clients: Mapping[str, str]
    picked: Picks

    def title(self, dimension: str, key: str) -> str:
        return self.clients[key] if dimension == "client" else titles(dimension, [key])[key]

    def link(self, dimension: str, key: str) -> str:
        """A code leads to its page, a client or a wallet to the failures that are its own."""
        if dimension == "code":
            return reverse("admin:failure_code", args=[key]) + self.picked.query()
        return self.picked.query(**{dimension: key}) if dimension in KEPT else ""

    def amount(self, minor: int, code: str) -> Amount:
        [asset] = (one for one in self.picked.assets if one.code == code)
        return amount(minor, asset)

    def amounts(self, group: Group) -> list[Amount]:
        return [self.amount(minor, code) for code, minor in sorted(group.amounts.items())]


def _cards(analysis: Analysis, chosen: Chosen, naming: _Naming) -> list[Card]:
    total, picked = analysis.total, naming.picked
    note, tone = compared(total.failures, total.previous, picked.range.words, better="less")
    cards = [Card("Failed payments", number(total.failures), note=note, tone=tone)]
    if picked.range.length != WEEK:
        since = change_since(total.failures, total.week_before)
        cards.append(Card("A week before", number(total.week_before), note=since))
    if chosen.code is None and chosen.client is None and chosen.wallet is None:
        cards.append(_rate(picked))
    cards.append(_should_have_moved(naming.amounts(total)))
    return cards


def _should_have_moved(amounts: list[Amount]) -> Card:
    if not amounts:
        return Card("Should have moved", NONE)
    first, *others = amounts
    return Card("Should have moved", first.figure, small=first.unit, note=f"and {listed(others)}" if others else "")


def _rate(picked: Picks) -> Card:
    told = read(picked.range, picked.now, picked.codes)
    if not told.now.decided:
        return Card("Failure rate", NONE, note="no payments in this time")
    return Card(
        "Failure rate", percent(told.now.failed / told.now.decided), note=f"of {number(told.now.decided)} payments"
    )


def _chart(told: Trend, chosen: Chosen, picked: Picks) -> Chart:
    step = picked.range.step
    buckets = picked.range.buckets(picked.now)
    counts = [told.within(moment, moment + step) for moment in buckets]
    return Chart(
        "failures-trend", "Failures over time", "line", [picked.range.label(moment) for moment in buckets],
        [Series("Failed", [now for now, _ in counts], "danger"),
         Series("A week before", [before for _, before in counts], "muted", dashed=True)],
        links=[_payments(moment, moment + step, chosen, picked) for moment in buckets],
        open_end=True,
    )  # fmt: skip


def _payments(begins: datetime, ends: datetime, chosen: Chosen, picked: Picks) -> str:
    """The list of the payments that failed in a time, as far as the list can be narrowed."""
    wanted = {
        "status": "FAILED", "from": f"{begins:%Y-%m-%dT%H:%M}", "to": f"{ends:%Y-%m-%dT%H:%M}",
        "asset": picked.asset.code if picked.asset else "", "code": chosen.code or "",
        "wallet": str(chosen.wallet or ""),
    }  # fmt: skip
    query = urlencode({name: value for name, value in wanted.items() if value})
    return f"{reverse('admin:payments_payment_changelist')}?{query}"


def _began(risen: Rise, shared: Sequence[Shared], first: Sequence[FailedPayment], naming: _Naming) -> Began:
    usual = f"{risen.usual:.0f}" if risen.usual >= 1 else "less than one"
    said = [
        (one, naming.title(one.dimension, one.key), naming.link(one.dimension, one.key))
        for one in shared if one.dimension != "asset" or len(naming.picked.assets) > 1
    ]  # fmt: skip
    return Began(risen, usual, said, list(first[:3]))


def _rows(analysis: Analysis, dimension: str, naming: _Naming) -> list[Row]:
    return [
        Row(
            group=group,
            title=naming.title(dimension, group.key),
            link=naming.link(dimension, group.key),
            share=percent(group.failures / analysis.total.failures),
            width=f"{group.failures / analysis.total.failures * 100:.1f}",
            change=_change(group, analysis.total),
            tone="bad"
            if group.failures > group.previous > 0
            else "good"
            if group.failures < group.previous
            else "quiet",
            value=naming.amounts(group),
        )
        for group in analysis.groups[dimension]
    ]


def _change(group: Group, total: Group) -> str:
    part = change(group.failures, group.previous)
    if part is None:
        return "new" if total.previous else NONE
    return signed(part) if part else "as before"


def _narrowed(chosen: Chosen, naming: _Naming) -> list[tuple[str, str]]:
    """What the page is narrowed to, with the address that takes it away again."""
    return [
        (naming.title(dimension, str(key)), naming.picked.query(**{dimension: None}))
        for dimension, key in (("client", chosen.client), ("wallet", chosen.wallet)) if key
    ]  # fmt: skip


def _example(payment: FailedPayment, naming: _Naming) -> dict[str, Any]:
    return {
        "payment": payment,
        "amount": naming.amount(payment.amount, payment.asset),
        "client": naming.title("client", str(payment.client_id)),
    }
