"""Wallets in the console."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from ledger.admin import ReadOnlyAdmin, link, listed, money
from ledger.models import Account, Entry
from wallets.models import Wallet


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    list_display = (
        "wallet_id",
        "label",
        "user_id",
        "shown_status",
        "shown_balance",
        "shown_held",
        "created_at",
    )
    list_select_related = ("account", "asset")
    ordering = ("-account_id",)
    id_lookups = ("pk", "user_id")
    search_help_text = "The id of a wallet or of its user"
    fields = (
        "wallet_id", "label", "user", "shown_status", "shown_balance", "shown_held", "shown_available", "account_link",
        "entries", "payments", "metadata", "version", "created_at", "updated_at",
    )  # fmt: skip
    readonly_fields = (
        "wallet_id", "user", "shown_status", "shown_balance", "shown_held", "shown_available", "account_link",
        "entries", "payments",
    )  # fmt: skip

    @admin.display(description="Id")
    def wallet_id(self, wallet: Wallet) -> str:
        return str(wallet.pk)

    @display(
        description="Status",
        label={"ACTIVE": "success", "CREATED": "info", "SUSPENDED": "warning", "CLOSED": "danger"},
    )
    def shown_status(self, wallet: Wallet) -> str:
        return wallet.status

    @admin.display(description="Balance")
    def shown_balance(self, wallet: Wallet) -> str:
        return money(wallet.account.balance, wallet.asset)

    @admin.display(description="Held")
    def shown_held(self, wallet: Wallet) -> str:
        return money(wallet.account.held, wallet.asset)

    @admin.display(description="Available")
    def shown_available(self, wallet: Wallet) -> str:
        return money(wallet.account.balance - wallet.account.held, wallet.asset)

    @admin.display(description="User")
    def user(self, wallet: Wallet) -> SafeString:
        return listed(Wallet, str(wallet.user_id), q=wallet.user_id)

    @admin.display(description="Account")
    def account_link(self, wallet: Wallet) -> SafeString:
        return link(Account, wallet.pk)

    @admin.display(description="Entries")
    def entries(self, wallet: Wallet) -> SafeString:
        return listed(Entry, "All entries of this wallet", q=wallet.pk)

    @admin.display(description="Payments")
    def payments(self, wallet: Wallet) -> SafeString:
        # By address: wallets know no payments.
        url = reverse("admin:payments_payment_changelist")
        return format_html('<a class="underline" href="{}?q={}">All payments of this wallet</a>', url, wallet.pk)
