"""Payments in the console."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.formats import localize
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from unfold.decorators import display

from ledger.admin import ReadOnlyAdmin, link, money, postings_table
from ledger.models import Account, IdempotencyKey, Transaction
from payments.models import Payment
from wallets.models import Wallet

SHOWN_CHILDREN = 50
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
        "transaction_link", "parent_link", "hold", "given_back", "came_of_it", "description", "metadata",
        "principal_id", "idempotency_key", "request_id", "created_at", "effective_at",
    )  # fmt: skip
    readonly_fields = (
        "shown_status", "why", "shown_amount", "sender_link", "receiver_link", "postings", "transaction_link",
        "parent_link", "hold", "given_back", "came_of_it",
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

    @admin.display(description="What came of it")
    def came_of_it(self, payment: Payment) -> SafeString | str:
        children = payment.children.select_related("asset").order_by("id")[:SHOWN_CHILDREN]
        return format_html_join(
            mark_safe("<br>"),
            "{} {} {} {}",
            ((localize(localtime(one.created_at)), link(Payment, one.pk, one.kind), one.status,
              money(one.amount, one.asset)) for one in children),
        )  # fmt: skip


def _side(account: Account) -> SafeString:
    if account.kind == Account.Kind.WALLET:
        return link(Wallet, account.id, f"…{str(account.id)[-12:]}")
    return link(Account, account.id, str(account))
