"""``/wallets/{id}/...``: balances, entries, transactions and statements; ``/users/{id}/balances``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from ledger.balances import MomentNotReached, balance_at, span
from ledger.effective import balance_effective_at, effective_span
from ledger.models import Entry
from ledger.money import to_text
from ledger.representation import represent_entry, represent_transaction
from walletplatform.api.pagination import Page, page_of
from walletplatform.api.places import Places
from walletplatform.api.problems import Problem, invalid
from walletplatform.api.query import choice_parameter, time_parameter
from walletplatform.api.responses import json_response
from walletplatform.api.schema import PAGED, operation
from walletplatform.api.times import time_text
from walletplatform.api.views import ApiView
from wallets.api.serializers import (
    BalanceAnswer,
    EntryPage,
    StatementAnswer,
    TransactionPage,
    UserBalancesAnswer,
)
from wallets.api.views import get_wallet
from wallets.statements import MAX_JSON_ENTRIES, Statement
from wallets.visibility import visible_wallets

TIMES = ["booked", "effective"]
BY = OpenApiParameter(
    "by", str, enum=TIMES, description="By the time of booking, which never changes later, or of happening. booked."
)
AHEAD = "That moment has not come yet."


class WalletBalanceView(ApiView):
    scopes = {"GET": "wallets:read"}
    parameters = {"GET": frozenset({"at", "by"})}

    @operation(
        "Get a wallet's balance, now or at a past moment",
        answer=BalanceAnswer,
        problems=["not_found", "lock_timeout"],
        parameters=[
            OpenApiParameter("at", OpenApiTypes.DATETIME, description="RFC 3339; what was booked up to then."),
            BY,
        ],
    )
    def get(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        moment = time_parameter(request.GET, "at")
        by = choice_parameter(request.GET, "by", TIMES) or "booked"
        if by == "effective" and moment is None:
            raise invalid("/by", "needs_at", "Name the moment as well: at.")
        wallet = get_wallet(self.principal, wallet_id)
        scale, account = wallet.asset.scale, wallet.account
        answer: dict[str, Any] = {"wallet_id": wallet.pk, "asset": wallet.asset_id}
        if moment is None:
            return json_response(
                answer
                | {
                    "balance": to_text(account.balance, scale),
                    "held": to_text(account.held, scale),
                    "available": to_text(account.balance - account.held, scale),
                    "at": time_text(account.booked_at or account.created_at),
                }
            )
        try:
            read = balance_effective_at if by == "effective" else balance_at
            balance = read(account_id=wallet.pk, moment=moment)
        except MomentNotReached:
            raise invalid("/at", "in_future", AHEAD) from None
        past = {"balance": to_text(balance, scale), "held": None, "available": None}
        return json_response(answer | past | {"at": time_text(moment)})


class WalletEntriesView(ApiView):
    scopes = {"GET": "wallets:read"}
    parameters = {"GET": frozenset({"limit", "cursor"})}

    @operation("List a wallet's entries, newest first", answer=EntryPage, problems=["not_found"], parameters=PAGED)
    def get(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters={})
        wallet = get_wallet(self.principal, wallet_id)
        entries = list(_entries(wallet.pk, page)[: page.fetch])
        return json_response(
            page.answer(entries, lambda e: represent_entry(e, scale=wallet.asset.scale), lambda e: e.seq)
        )


class WalletTransactionsView(ApiView):
    scopes = {"GET": "wallets:read"}
    parameters = {"GET": frozenset({"limit", "cursor"})}

    @operation(
        "List the transactions that touched a wallet, newest first",
        answer=TransactionPage,
        problems=["not_found"],
        parameters=PAGED,
    )
    def get(self, request: HttpRequest, wallet_id: UUID) -> HttpResponse:
        page = page_of(request.GET, principal=self.principal.id, path=request.path, filters={})
        wallet = get_wallet(self.principal, wallet_id)
        # A transaction may touch the wallet in several legs; the last of them stands for it.
        later = Entry.objects.filter(
            transaction_id=OuterRef("transaction_id"), account_id=wallet.pk, leg__gt=OuterRef("leg")
        )
        entries = list(_entries(wallet.pk, page).exclude(Exists(later))[: page.fetch])
        return json_response(page.answer(entries, lambda e: represent_transaction(e.transaction), lambda e: e.seq))


class WalletStatementView(ApiView):
    scopes = {"GET": "wallets:read"}
    parameters = {"GET": frozenset({"from", "to", "format", "by"})}
    produces = ("application/json", "text/csv")

    @operation(
        "Get a wallet's statement",
        answer=StatementAnswer,
        problems=["not_found", "lock_timeout", "overloaded"],
        parameters=[
            OpenApiParameter("from", OpenApiTypes.DATETIME, description="RFC 3339, inclusive; the wallet's beginning."),
            OpenApiParameter("to", OpenApiTypes.DATETIME, description="RFC 3339, exclusive; now."),
            OpenApiParameter("format", str, enum=["json", "csv"]),
            BY,
        ],
        description="Opening balance, entries and closing balance; opening plus entries is closing. "
        "A file without its closing line is incomplete: few may be read at once, and none for longer than two minutes.",
    )
    def get(self, request: HttpRequest, wallet_id: UUID) -> HttpResponseBase:
        since, until = time_parameter(request.GET, "from"), time_parameter(request.GET, "to")
        wanted = choice_parameter(request.GET, "format", ["json", "csv"]) or "json"
        by = choice_parameter(request.GET, "by", TIMES)
        if since and until and since > until:
            raise invalid("/from", "after_to", "The statement would end before it begins.")
        wallet = get_wallet(self.principal, wallet_id)
        try:
            covered = span(account_id=wallet.pk, since=since, until=until)
        except MomentNotReached:
            raise invalid("/to", "in_future", AHEAD) from None
        effective = effective_span(covered, since=since, until=until) if by == "effective" else None
        statement = Statement(wallet, covered, effective)
        if wanted == "csv":
            return _download(Download(statement.as_csv(), self.principal.id), f"statement-{wallet.pk}.csv")
        if statement.most_entries > MAX_JSON_ENTRIES:
            detail = f"More than {MAX_JSON_ENTRIES} entries: narrow from and to, or take format=csv."
            raise invalid("/from", "too_many_entries", detail)
        return json_response(statement.as_json())


class UserBalancesView(ApiView):
    scopes = {"GET": "wallets:read"}

    @operation(
        "Get a user's balances by asset, over all of its wallets",
        answer=UserBalancesAnswer,
        problems=["not_found"],
    )
    def get(self, request: HttpRequest, user_id: UUID) -> HttpResponse:
        if self.principal.is_user and user_id != self.principal.id:
            raise Problem("not_found", "There is no such user.")
        rows = (
            visible_wallets(self.principal)
            .filter(user_id=user_id)
            .values("asset_id", scale=F("asset__scale"))
            .annotate(balance=Sum("account__balance"), held=Sum("account__held"), wallets=Count("pk"))
            .order_by("asset_id")
        )
        balances = [
            {
                "asset": row["asset_id"],
                "balance": to_text(int(row["balance"]), row["scale"]),
                "held": to_text(int(row["held"]), row["scale"]),
                "available": to_text(int(row["balance"] - row["held"]), row["scale"]),
                "wallets": row["wallets"],
            }
            for row in rows
        ]
        return json_response({"user_id": user_id, "balances": balances})


def _entries(wallet_id: UUID, page: Page) -> Any:
    entries = Entry.objects.filter(account_id=wallet_id).select_related("transaction").order_by("-seq")
    return entries.filter(seq__lt=int(page.after)) if page.after is not None else entries


class Download:
    """A file on its way, in one of few places: each keeps a web thread until it is read, or given up."""

    places = Places(4)

    def __init__(self, lines: Iterator[str], caller: UUID) -> None:
        self.lines = lines
        self.caller = caller
        self.closed = True
        self.places.take(caller)
        self.closed = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self.lines)

    def close(self) -> None:
        """Whoever serves it calls this at the end, however it ends."""
        if not self.closed:
            self.closed = True
            self.places.give_back(self.caller)

    def __del__(self) -> None:
        # Where an answer is lost before it is served, nobody closes it.
        self.close()


def _download(lines: Download, name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(
        lines,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )
