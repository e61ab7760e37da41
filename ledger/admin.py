"""The ledger in the console: to be read, never edited, by anybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger.console.filters import WindowFilter, choice, of_id
from ledger.console.lists import KeysetChangeList
from ledger.console.reading import ReadOnlyAdmin
from ledger.console.showing import (
    account_link,
    badge,
    identifier,
    link,
    listed,
    money,
    postings_table,
    shortened,
)
from ledger.models import Account, Asset, Entry, Transaction
from ledger.money import to_text

__all__ = [
    "ReadOnlyAdmin", "account_link", "asset_codes", "badge", "identifier", "link", "listed", "money", "postings_table",
    "shortened",
]  # fmt: skip


def asset_codes() -> list[tuple[str, str]]:
    return [(code, code) for code in Asset.objects.order_by("code").values_list("code", flat=True)]


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "kind", "scale", "created_at")
    ordering = ("code",)
    search_help_text = "An asset's code"

    def search_text(self, queryset: QuerySet[Asset], term: str) -> QuerySet[Asset]:
        return queryset.filter(code=term.upper())


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("shown_id", "kind", "asset", "shown_balance", "shown_held", "seq", "open", "booked_at")
    list_display_links = None
    list_select_related = ("asset",)
    # The system accounts have an index of their own; wallets are nearly all.
    list_filter = (choice("kind", Account.Kind.choices),)
    ordering = ("-id",)
    search_help_text = "An account's id"
    fields = (
        "id", "kind", "asset", "shown_balance", "shown_held", "shown_floor", "seq", "open", "booked_at",
        "created_at", "entries",
    )  # fmt: skip
    readonly_fields = ("shown_balance", "shown_held", "shown_floor", "entries")
    export_columns = (
        ("account", lambda account: account.id),
        ("kind", lambda account: account.kind),
        ("asset", lambda account: account.asset_id),
        ("balance", lambda account: to_text(account.balance, account.asset.scale)),
        ("held", lambda account: to_text(account.held, account.asset.scale)),
        ("entries", lambda account: account.seq),
        ("open", lambda account: account.open),
        ("booked at", lambda account: account.booked_at),
    )

    @admin.display(description="Account")
    def shown_id(self, account: Account) -> SafeString:
        return identifier(Account, account.id)

    @admin.display(description="Balance")
    def shown_balance(self, account: Account) -> str:
        return money(account.balance, account.asset)

    @admin.display(description="Held")
    def shown_held(self, account: Account) -> str:
        return money(account.held, account.asset)

    @admin.display(description="Lowest available")
    def shown_floor(self, account: Account) -> str:
        return money(account.min_available, account.asset)

    @admin.display(description="Entries")
    def entries(self, account: Account) -> SafeString:
        return listed(Entry, "All entries of this account", account=account.id)


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = ("shown_id", "shown_kind", "entry_count", "booked_at", "effective_at")
    list_display_links = None
    list_filter = (WindowFilter,)
    ordering = ("-id",)
    search_help_text = "A transaction's id"
    fields = ("id", "shown_kind", "payment", "entry_count", "booked_at", "effective_at")
    readonly_fields = ("shown_kind", "payment")
    change_form_outer_before_template = "admin/transaction.html"
    export_columns = (
        ("transaction", lambda transaction: transaction.id),
        ("kind", lambda transaction: transaction.kind),
        ("entries", lambda transaction: transaction.entry_count),
        ("booked at", lambda transaction: transaction.booked_at),
        ("effective at", lambda transaction: transaction.effective_at),
    )

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["postings"] = postings_table(context["original"].pk)
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    @admin.display(description="Transaction")
    def shown_id(self, transaction: Transaction) -> SafeString:
        return identifier(Transaction, transaction.id)

    @admin.display(description="Kind")
    def shown_kind(self, transaction: Transaction) -> str:
        return transaction.kind.capitalize()

    @admin.display(description="Payment")
    def payment(self, transaction: Transaction) -> SafeString:
        return _payment_link(transaction.id)


class EntryList(KeysetChangeList):
    """An account's entries in their own order, by their own index."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        return ["-seq"] if "account" in self.filter_params else ["-id"]


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    change_list = EntryList
    list_display = (
        "shown_id",
        "booked_at",
        "account_link",
        "direction",
        "shown_amount",
        "shown_after",
        "transaction_link",
        "seq",
    )
    list_display_links = None
    list_select_related = ("account__asset", "transaction")
    list_filter = (of_id("account", lookup="account_id", title="account or wallet"), WindowFilter)
    ordering = ("-id",)
    search_help_text = "The id of an entry, a transaction, an account or a wallet"
    fields = (
        "id", "transaction_link", "leg", "account_link", "direction", "shown_amount", "shown_before",
        "shown_after", "seq", "booked_at",
    )  # fmt: skip
    readonly_fields = (
        "transaction_link", "account_link", "shown_amount", "shown_before", "shown_after", "booked_at",
    )  # fmt: skip
    change_form_outer_before_template = "admin/transaction.html"
    export_columns = (
        ("entry", lambda entry: entry.id),
        ("booked at", lambda entry: entry.transaction.booked_at),
        ("transaction", lambda entry: entry.transaction_id),
        ("kind", lambda entry: entry.transaction.kind),
        ("account", lambda entry: entry.account_id),
        ("account kind", lambda entry: entry.account.kind),
        ("direction", lambda entry: entry.direction),
        ("amount", lambda entry: to_text(entry.amount, entry.account.asset.scale)),
        ("balance after", lambda entry: to_text(entry.balance_after, entry.account.asset.scale)),
        ("asset", lambda entry: entry.account.asset_id),
        ("no.", lambda entry: entry.seq),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            return super().get_search_results(request, queryset, search_term)
        # One after the other: of any of them at once the planner would walk the whole table.
        for lookup in ("pk", "transaction_id"):
            found = queryset.filter(**{lookup: wanted})
            if found.exists():
                return found, False
        # As EntryList does.
        return queryset.filter(account_id=wanted).order_by("-seq"), False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        context["postings"] = postings_table(context["original"].transaction_id)
        return super().render_change_form(request, context, *args, **kwargs)  # type: ignore[no-any-return]

    @admin.display(description="Entry")
    def shown_id(self, entry: Entry) -> SafeString:
        return identifier(Entry, entry.id)

    @admin.display(description="Transaction")
    def transaction_link(self, entry: Entry) -> SafeString:
        return link(Transaction, entry.transaction_id, shortened(entry.transaction_id))

    @admin.display(description="Account")
    def account_link(self, entry: Entry) -> SafeString:
        return account_link(entry.account)

    @admin.display(description="Amount")
    def shown_amount(self, entry: Entry) -> str:
        return money(entry.amount, entry.account.asset)

    @admin.display(description="Balance before")
    def shown_before(self, entry: Entry) -> str:
        return money(entry.balance_before, entry.account.asset)

    @admin.display(description="Balance after")
    def shown_after(self, entry: Entry) -> str:
        return money(entry.balance_after, entry.account.asset)

    @admin.display(description="Booked at")
    def booked_at(self, entry: Entry) -> str:
        return entry.transaction.booked_at.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")


def _payment_link(transaction_id: UUID) -> SafeString:
    # By address: the ledger knows no payments.
    url = reverse("admin:payments_payment_change", args=[transaction_id])
    return format_html('<a class="underline" href="{}">{}</a>', url, transaction_id)
