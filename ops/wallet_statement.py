"""A wallet's statement for people: of some days, to be read, printed or taken as a file."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextInputWidget

from ledger.admin import link
from ledger.balances import MomentNotReached, span
from ledger.console.reading import EXPORT
from ledger.models import Transaction
from ops.act_pages import ActingAdmin
from ops.approvals.refusing import Refused, refused_where_busy
from payments.models import Payment
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import of_staff
from walletplatform.audit.trail import record
from wallets.api.history import Download
from wallets.models import Wallet
from wallets.statements import Statement

# What a person reads; a file has any number of lines.
MOST_SHOWN = 1_000
KINDS: dict[str, str] = dict(Payment.Kind.choices)


def _day(label: str) -> forms.DateField:
    return forms.DateField(label=label, widget=UnfoldAdminTextInputWidget({"type": "date"}))


class PeriodForm(forms.Form):
    """Days of UTC, both included."""

    since = _day("From")
    until = _day("To the end of")

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if len(given) == 2 and given["since"] > given["until"]:
            raise ValidationError("It would end before it begins.")
        return given


class WalletStatement(ActingAdmin):
    """Mixed into the page of wallets."""

    actions_detail: tuple[str, ...] = ("statement",)
    offered = {"statement": lambda wallet: True}

    @action(description="Statement", url_path="statement", icon="receipt_long", permissions=["view"])
    def statement(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        wallet, today = self.target(request, object_id), now().astimezone(UTC).date()
        first: dict[str, Any] = {"since": today.replace(day=1), "until": today}
        given = request.POST if request.method == "POST" else request.GET if "since" in request.GET else first
        form = PeriodForm(given)
        shown: dict[str, Any] = {}
        if form.is_valid():
            try:
                since, until = form.cleaned_data["since"], min(form.cleaned_data["until"], today)
                found = _statement(wallet, since, until, today)
                if request.method == "POST":
                    return _file(request, found, since, until)
                shown = _shown(found)
            except (Refused, Problem) as refusal:
                form.add_error(None, refusal.detail)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts, "original": wallet, "title": "Statement", "form": form, "back": self.page_of(wallet),
            "owner": wallet.owner_name or wallet.user_id, "shown": shown, "periods": _periods(today),
            "may_export": request.user.has_perm(EXPORT),
        }  # fmt: skip
        return TemplateResponse(request, "admin/wallet_statement.html", context)


def _statement(wallet: Wallet, since: date, until: date, today: date) -> Statement:
    """:raises Refused: for days that have not come, and where the wallet is busy for long"""
    begin, end = _midnight(since), _midnight(until + timedelta(days=1))
    try:
        with refused_where_busy():
            # A day that is not over yet goes up to now; unless it is over by the time that the wallet is free.
            covered = span(account_id=wallet.pk, since=begin, until=end if until < today else None)
            if covered.until > end:
                covered = span(account_id=wallet.pk, since=begin, until=end)
    except MomentNotReached:
        raise Refused("invalid", "That day has not come yet.") from None
    return Statement(wallet, covered)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _shown(statement: Statement) -> dict[str, Any]:
    if statement.most_entries > MOST_SHOWN:
        return {"too_many": statement.most_entries}
    told, scale = statement.as_json(), statement.wallet.asset.scale
    lines = [
        {
            "at": parse_datetime(entry["booked_at"]),
            "what": link(Transaction, entry["transaction_id"], KINDS.get(entry["kind"], entry["kind"])),
            entry["direction"].lower(): entry["amount"],
            "after": entry["balance_after"],
        }
        for entry in told["entries"]
    ]
    sums = {side: sum(Decimal(line.get(side, 0)) for line in lines) for side in ("credit", "debit")}
    return {
        "from": parse_datetime(told["from"]), "to": parse_datetime(told["to"]), "asset": told["asset"],
        "opening": told["opening_balance"], "closing": told["closing_balance"], "lines": lines,
        **{side: f"{amount:.{scale}f}" for side, amount in sums.items()},
    }  # fmt: skip


def _file(request: HttpRequest, statement: Statement, since: date, until: date) -> HttpResponseBase:
    if not request.user.has_perm(EXPORT):
        raise PermissionDenied
    # In one of few places, until the last line has gone out.
    lines = Download(statement.as_csv(), UUID(str(request.user.pk)))
    try:
        with atomic():
            record(
                actor=of_staff(request.user),  # type: ignore[arg-type]
                action="wallet.statement", object_type="wallet", object_id=statement.wallet.pk,
                after={"since": str(since), "until": str(until), "entries": statement.most_entries},
            )  # fmt: skip
    except BaseException:
        lines.close()
        raise
    name = f"statement-{statement.wallet.pk}-{since}-{until}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _periods(today: date) -> list[tuple[str, date, date]]:
    """What people ask for most."""
    first = today.replace(day=1)
    before = first - timedelta(days=1)
    return [
        ("This month", first, today),
        ("Last month", before.replace(day=1), before),
        ("90 days", today - timedelta(days=89), today),
    ]
