"""The ledger in the console: to be read, never edited, by anybody."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.paginator import InfinitePaginator

from ledger.models import Account, Asset, Entry, Transaction
from ledger.money import to_text


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """
    Lists and pages without a form: nobody adds, changes or deletes, a superuser neither.

    Lists never count their rows. ``id_lookups`` are the fields in which a searched id is looked up,
    each backed by an index; any other term is for ``search_text``.
    """

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50
    list_disable_select_all = True
    sortable_by: tuple[str, ...] = ()
    actions = None
    search_fields = ("pk",)
    id_lookups: tuple[str, ...] = ("pk",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            wanted = UUID(term)
        except ValueError:
            return self.search_text(queryset, term), False
        anywhere = Q()
        for lookup in self.id_lookups:
            anywhere |= Q(**{lookup: wanted})
        return queryset.filter(anywhere), False

    def search_text(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.none()


def link(model: type[Model], pk: object, text: object | None = None) -> SafeString:
    """A link to a row's page in the console."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[pk])
    return format_html('<a class="underline" href="{}">{}</a>', url, text if text is not None else pk)


def listed(model: type[Model], text: str, **filters: object) -> SafeString:
    """A link to the console's list of a model, searched for an id."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return format_html('<a class="underline" href="{}?{}">{}</a>', url, query, text)


def money(minor: int | None, asset: Asset) -> str:
    """An amount as a person reads it, never broken over two lines: ``12.50 EUR``."""
    return "unbounded" if minor is None else f"{to_text(minor, asset.scale)}\N{NO-BREAK SPACE}{asset.code}"


@admin.register(Asset)
class AssetAdmin(ReadOnlyAdmin):
    list_display = ("code", "name", "kind", "scale", "created_at")
    ordering = ("code",)
    search_help_text = "An asset's code"

    def search_text(self, queryset: QuerySet[Asset], term: str) -> QuerySet[Asset]:
        return queryset.filter(code=term.upper())


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "asset", "shown_balance", "shown_held", "seq", "open", "booked_at")
    list_select_related = ("asset",)
    ordering = ("-id",)
    search_help_text = "An account's id"
    fields = (
        "id", "kind", "asset", "shown_balance", "shown_held", "shown_floor", "seq", "open", "booked_at",
        "created_at", "entries",
    )  # fmt: skip
    readonly_fields = ("shown_balance", "shown_held", "shown_floor", "entries")

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
        return listed(Entry, "All entries of this account", q=account.id)


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    list_display = ("id", "kind", "entry_count", "booked_at", "effective_at")
    ordering = ("-id",)
    search_help_text = "A transaction's id"
    fields = ("id", "kind", "payment", "entry_count", "booked_at", "effective_at", "postings")
    readonly_fields = ("payment", "postings")

    @admin.display(description="Payment")
    def payment(self, transaction: Transaction) -> SafeString:
        # By address: the ledger knows no payments.
        url = reverse("admin:payments_payment_change", args=[transaction.id])
        return format_html('<a class="underline" href="{}">{}</a>', url, transaction.id)

    @admin.display(description="Entries")
    def postings(self, transaction: Transaction) -> SafeString:
        return postings_table(transaction.id)


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = (
        "id",
        "transaction_link",
        "account_link",
        "direction",
        "shown_amount",
        "shown_after",
        "seq",
    )
    list_select_related = ("account__asset", "transaction")
    ordering = ("-id",)
    id_lookups = ("pk", "transaction_id", "account_id")
    search_help_text = "The id of an entry, a transaction, an account or a wallet"
    fields = (
        "id", "transaction_link", "leg", "account_link", "direction", "shown_amount", "shown_before",
        "shown_after", "seq", "booked_at",
    )  # fmt: skip
    readonly_fields = (
        "transaction_link", "account_link", "shown_amount", "shown_before", "shown_after", "booked_at",
    )  # fmt: skip

    @admin.display(description="Transaction")
    def transaction_link(self, entry: Entry) -> SafeString:
        return link(Transaction, entry.transaction_id)

    @admin.display(description="Account")
    def account_link(self, entry: Entry) -> SafeString:
        return link(Account, entry.account_id, str(entry.account))

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
        return entry.transaction.booked_at.isoformat(sep=" ", timespec="milliseconds")


def postings_table(transaction_id: UUID) -> SafeString:
    """A transaction's double entry, as an accountant reads it: account, debit, credit, balance after."""
    entries = Entry.objects.filter(transaction_id=transaction_id).select_related("account__asset")
    rows = format_html_join(
        "",
        '<tr><td>{}</td><td class="ops-figure">{}</td><td class="ops-figure">{}</td>'
        '<td class="ops-figure">{}</td></tr>',
        (
            (
                link(Account, entry.account_id, str(entry.account)),
                money(entry.amount, entry.account.asset) if entry.direction == "DEBIT" else "",
                money(entry.amount, entry.account.asset) if entry.direction == "CREDIT" else "",
                money(entry.balance_after, entry.account.asset),
            )
            for entry in entries.order_by("leg")
        ),
    )
    if not rows:
        return SafeString("No postings: nothing moved.")
    return format_html(
        '<table class="ops-postings"><thead><tr><th>Account</th><th class="ops-figure">Debit</th>'
        '<th class="ops-figure">Credit</th><th class="ops-figure">Balance after</th></tr></thead>'
        "<tbody>{}</tbody></table>",
        rows,
    )
