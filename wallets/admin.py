"""Wallets in the console."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from ledger.admin import ReadOnlyAdmin, asset_codes, identifier, link, listed, money, shortened
from ledger.console.filters import WindowFilter, choice
from ledger.console.probing import Narrowing, ProbingChangeList
from ledger.models import Account
from ledger.money import to_text
from walletplatform.identity.models import User
from wallets.models import Wallet

STATUS_COLOURS = {"ACTIVE": "success", "CREATED": "info", "SUSPENDED": "warning", "CLOSED": "danger"}


class WalletList(ProbingChangeList):
    def narrowings(self) -> list[Narrowing]:
        asset, status = self.chosen("asset"), self.chosen("status")
        if self.query or not (asset or status):
            return []
        assets = [asset] if asset else [code for code, _ in asset_codes()]
        return [{"asset": assets, "status": [status] if status else Wallet.Status.values}]


@admin.register(Wallet)
class WalletAdmin(ReadOnlyAdmin):
    change_list = WalletList
    list_display = (
        "shown_id",
        "owner",
        "shown_status",
        "shown_balance",
        "shown_available",
        "shown_held",
        "label",
        "created_at",
    )
    list_display_links = None
    list_select_related: tuple[str, ...] = ("account", "asset")
    list_filter = (choice("status", Wallet.Status.choices), choice("asset", asset_codes), WindowFilter)
    views = (("Suspended", "status=SUSPENDED"), ("Opened, 24 h", "window=24h"))
    ordering = ("-account_id",)
    id_lookups = ("pk", "user_id")
    search_help_text = "The id of a wallet or of its user, or the user's name"
    fields = (
        "wallet_id", "label", "user", "account_link", "metadata", "version", "created_at", "updated_at",
    )  # fmt: skip
    readonly_fields = (
        "wallet_id", "user", "account_link",
    )  # fmt: skip
    export_columns = (
        ("wallet", lambda wallet: wallet.pk),
        ("user", lambda wallet: wallet.user_id),
        ("status", lambda wallet: wallet.status),
        ("balance", lambda wallet: to_text(wallet.account.balance, wallet.asset.scale)),
        ("available", lambda wallet: to_text(wallet.account.balance - wallet.account.held, wallet.asset.scale)),
        ("held", lambda wallet: to_text(wallet.account.held, wallet.asset.scale)),
        ("asset", lambda wallet: wallet.asset_id),
        ("label", lambda wallet: wallet.label),
        ("created at", lambda wallet: wallet.created_at),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Wallet]:
        """Each with its user's name, where that user is one of this platform's."""
        named = User.objects.filter(pk=OuterRef("user_id")).values("username")
        wallets: QuerySet[Wallet] = super().get_queryset(request)
        return wallets.annotate(owner_name=Subquery(named))

    def search_text(self, queryset: QuerySet[Wallet], term: str) -> QuerySet[Wallet]:
        return queryset.filter(user_id__in=list(User.objects.filter(username=term).values_list("pk", flat=True)))

    @admin.display(description="Wallet")
    def shown_id(self, wallet: Wallet) -> SafeString:
        return identifier(Wallet, wallet.pk)

    @admin.display(description="Id")
    def wallet_id(self, wallet: Wallet) -> str:
        return str(wallet.pk)

    @admin.display(description="Owner")
    def owner(self, wallet: Any) -> SafeString:
        return listed(Wallet, wallet.owner_name or shortened(wallet.user_id), q=wallet.user_id)

    @display(description="Status", label=STATUS_COLOURS)
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
    def user(self, wallet: Any) -> SafeString:
        name = f"{wallet.owner_name} ({wallet.user_id})" if wallet.owner_name else str(wallet.user_id)
        return listed(Wallet, name, q=wallet.user_id)

    @admin.display(description="Account")
    def account_link(self, wallet: Wallet) -> SafeString:
        return link(Account, wallet.pk)
