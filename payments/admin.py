"""Payments in the console."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from unfold.decorators import display

from ledger.admin import ReadOnlyAdmin, account_link, asset_codes, identifier, link, money
from ledger.console.filters import WindowFilter, choice, of_id
from ledger.console.probing import Narrowing, ProbingChangeList
from ledger.models import IdempotencyKey, Transaction
from ledger.money import to_text
from payments.models import Payment
from payments.recording import CATEGORY
from walletplatform.api.problems import CATALOGUE
from walletplatform.identity.models import Client, User

STATUS_COLOURS = {
    "CREATED": "info",
    "AUTHORIZED": "info",
    "SETTLED": "success",
    "FAILED": "danger",
    "VOIDED": "warning",
    "EXPIRED": "warning",
}


def failure_codes() -> list[tuple[str, str]]:
    """The codes that payments fail with, each with its words."""
    return [(code, CATALOGUE[code].title) for code in CATEGORY]


class PaymentList(ProbingChangeList):
    def narrowings(self) -> list[Narrowing]:
        kind, status, asset = (self.chosen(word) for word in ("kind", "status", "asset"))
        wallet = self.chosen("wallet") or self._searched_wallet()
        kinds = [kind] if kind else Payment.Kind.values
        statuses = [status] if status else Payment.Status.values
        if self.chosen("code") or (self.query and not wallet) or (wallet and asset):
            return []  # an index of its own, or few
        if wallet:
            return [{side: [wallet], "kind": kinds, "status": statuses} for side in ("sender", "receiver")]
        if kind or status or asset:
            assets = [asset] if asset else [code for code, _ in asset_codes()]
            return [{"asset": assets, "kind": kinds, "status": statuses}]
        return []

    def _searched_wallet(self) -> UUID | None:
        try:
            wanted = UUID(self.query.strip())
        except ValueError:
            return None
        return None if Payment.objects.filter(pk=wanted).exists() else wanted


class WalletOfPayment(of_id("wallet", lookup="")):  # type: ignore[misc]
    """Payments from a wallet (or another account) or to it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Payment]) -> QuerySet[Payment]:
        return (
            queryset.filter(sender_id=self.value) | queryset.filter(receiver_id=self.value) if self.value else queryset
        )


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    change_list = PaymentList
    list_display = (
        "shown_id", "created_at", "shown_status", "shown_kind", "shown_amount", "sender_link", "receiver_link", "why",
        "client", "description",
    )  # fmt: skip
    list_display_links = None
    list_select_related = ("asset", "sender", "receiver", "failure")
    list_filter = (
        choice("status", Payment.Status.choices), choice("kind", Payment.Kind.choices), choice("asset", asset_codes),
        choice("code", failure_codes, lookup="failure__code", title="failure"), WalletOfPayment, WindowFilter,
    )  # fmt: skip
    views = (
        ("Failed, 24 h", "status=FAILED&window=24h"),
        ("Held", "status=AUTHORIZED"),
        ("To be decided", "status=CREATED"),
        ("Refunds, 7 d", "kind=refund&window=7d"),
    )
    ordering = ("-id",)
    search_help_text = "The id of a payment or wallet, or an idempotency key"
    fields = (
        "id", "transaction_link", "parent_link", "hold", "given_back", "description", "metadata", "created_at",
        "effective_at",
    )  # fmt: skip
    readonly_fields = (
        "transaction_link", "parent_link", "hold", "given_back",
    )  # fmt: skip
    export_columns = (
        ("payment", lambda payment: payment.id),
        ("created at", lambda payment: payment.created_at),
        ("status", lambda payment: payment.status),
        ("kind", lambda payment: payment.kind),
        ("amount", lambda payment: to_text(payment.amount, payment.asset.scale)),
        ("asset", lambda payment: payment.asset_id),
        ("from", lambda payment: payment.sender_id),
        ("to", lambda payment: payment.receiver_id),
        ("failure", lambda payment: failure.code if (failure := getattr(payment, "failure", None)) else ""),
        ("client", lambda payment: payment.client_name or payment.principal_id),
        ("idempotency key", lambda payment: payment.idempotency_key),
        ("request", lambda payment: payment.request_id),
        ("acts on", lambda payment: payment.parent_id),
        ("description", lambda payment: payment.description),
        ("effective at", lambda payment: payment.effective_at),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Payment]:
        """Each with the name of who asked for it, where that is known."""
        clients = Client.objects.filter(pk=OuterRef("principal_id")).values("name")
        users = User.objects.filter(pk=OuterRef("principal_id")).values("username")
        payments: QuerySet[Payment] = super().get_queryset(request)
        return payments.annotate(client_name=Coalesce(Subquery(clients), Subquery(users)))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        if (found := queryset.filter(pk=wanted)).exists():
            return found, False
        return queryset.filter(sender_id=wanted) | queryset.filter(receiver_id=wanted), False

    def search_text(self, queryset: QuerySet[Payment], term: str) -> QuerySet[Payment]:
        keyed = IdempotencyKey.objects.filter(key=term).values_list("resource_id", flat=True)
        return queryset.filter(pk__in=list(keyed[:50]))

    @admin.display(description="Payment")
    def shown_id(self, payment: Payment) -> SafeString:
        return identifier(Payment, payment.pk)

    @display(description="Status", label=STATUS_COLOURS)
    def shown_status(self, payment: Payment) -> str:
        return payment.status

    @admin.display(description="Kind")
    def shown_kind(self, payment: Payment) -> str:
        return payment.get_kind_display()

    @admin.display(description="Amount")
    def shown_amount(self, payment: Payment) -> str:
        return money(payment.amount, payment.asset)

    @admin.display(description="From")
    def sender_link(self, payment: Payment) -> SafeString:
        return account_link(payment.sender)

    @admin.display(description="To")
    def receiver_link(self, payment: Payment) -> SafeString:
        return account_link(payment.receiver)

    @admin.display(description="Failure")
    def why(self, payment: Payment) -> SafeString | str:
        failure = getattr(payment, "failure", None)
        if failure is None:
            return ""
        words = CATALOGUE[failure.code].title if failure.code in CATALOGUE else failure.detail
        return format_html('{} <span class="ops-code">{}</span>', words, failure.code)

    @admin.display(description="Client")
    def client(self, payment: Any) -> str:
        return payment.client_name or f"…{str(payment.principal_id)[-12:]}"

    @admin.display(description="Transaction")
    def transaction_link(self, payment: Payment) -> SafeString | str:
        posted = payment.status == Payment.Status.SETTLED and payment.kind != Payment.Kind.AUTHORIZATION
        return link(Transaction, payment.id) if posted else ""

    @admin.display(description="Acts on")
    def parent_link(self, payment: Payment) -> SafeString | str:
        return link(Payment, payment.parent_id) if payment.parent_id else ""

    @admin.display(description="Hold")
    def hold(self, payment: Payment) -> str:
        if payment.authorized_amount is None or payment.expires_at is None:
            return ""
        authorized = money(payment.authorized_amount, payment.asset)
        captured = money(payment.captured_amount, payment.asset)
        return f"{authorized} authorized, {captured} captured, until {localize(localtime(payment.expires_at))}"

    @admin.display(description="Given back")
    def given_back(self, payment: Payment) -> str:
        return money(payment.refunded_amount, payment.asset) if payment.refunded_amount else ""
