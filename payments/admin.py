"""Payments in the console."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.safestring import SafeString
from unfold.decorators import display

from ledger.admin import ReadOnlyAdmin, link, money, postings_table
from ledger.models import Account, IdempotencyKey, Transaction
from payments.models import Payment
from wallets.models import Wallet

STATUS_COLOURS = {
    "CREATED": "info",
    "AUTHORIZED": "info",
    "SETTLED": "success",
    "FAILED": "danger",
    "VOIDED": "warning",
    "EXPIRED": "warning",
}


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "kind", "shown_status", "shown_amount", "sender_link", "receiver_link", "why", "description",
        "created_at",
    )  # fmt: skip
    list_select_related = ("asset", "sender", "receiver", "failure")
    ordering = ("-id",)
    id_lookups = ("pk", "sender_id", "receiver_id")
    search_help_text = "The id of a payment or wallet, or an idempotency key"
    fields = (
        "id", "kind", "shown_status", "why", "shown_amount", "sender_link", "receiver_link", "postings",
        "transaction_link", "description", "metadata", "principal_id", "idempotency_key", "request_id",
        "created_at", "effective_at",
    )  # fmt: skip
    readonly_fields = (
        "shown_status", "why", "shown_amount", "sender_link", "receiver_link", "postings", "transaction_link",
    )  # fmt: skip

    def search_text(self, queryset: QuerySet[Payment], term: str) -> QuerySet[Payment]:
        keyed = IdempotencyKey.objects.filter(key=term).values_list("resource_id", flat=True)
        return queryset.filter(pk__in=list(keyed[:50]))

    @display(description="Status", label=STATUS_COLOURS)
    def shown_status(self, payment: Payment) -> str:
        return payment.status

    @admin.display(description="Amount")
    def shown_amount(self, payment: Payment) -> str:
        return money(payment.amount, payment.asset)

    @admin.display(description="From")
    def sender_link(self, payment: Payment) -> SafeString:
        return _side(payment.sender)

    @admin.display(description="To")
    def receiver_link(self, payment: Payment) -> SafeString:
        return _side(payment.receiver)

    @admin.display(description="Failure")
    def why(self, payment: Payment) -> str:
        failure = getattr(payment, "failure", None)
        return f"{failure.code}: {failure.detail}" if failure else ""

    @admin.display(description="Double entry")
    def postings(self, payment: Payment) -> SafeString:
        return postings_table(payment.id)

    @admin.display(description="Transaction")
    def transaction_link(self, payment: Payment) -> SafeString | str:
        return link(Transaction, payment.id) if payment.status == Payment.Status.SETTLED else ""


def _side(account: Account) -> SafeString:
    if account.kind == Account.Kind.WALLET:
        return link(Wallet, account.id, f"…{str(account.id)[-12:]}")
    return link(Account, account.id, str(account))
