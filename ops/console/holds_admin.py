"""What is held for whom, and how long yet: the open authorizations, those that end first on top."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import now

from ledger.admin import ReadOnlyAdmin, asset_codes, badge, identifier
from ledger.console.filters import ChoiceFilter, choice
from ledger.models import Asset
from ledger.money import to_text
from ops.models import OpenHold
from payments.models import Payment
from wallets.models import Wallet

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Due(ChoiceFilter):
    title = "end"
    parameters = ("due",)
    offered = (("overdue", "Overdue"), ("hour", "Within an hour"), ("day", "Within 24 hours"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value:
            return queryset
        if self.value == "overdue":
            return queryset.filter(expires_at__lt=now())
        return queryset.filter(expires_at__gte=now(), expires_at__lt=now() + (HOUR if self.value == "hour" else DAY))


@admin.register(OpenHold)
class OpenHoldAdmin(ReadOnlyAdmin):
    list_display = ("payment", "wallet", "shown_amount", "created_at", "expires_at", "left")
    list_display_links = None
    list_filter = (Due, choice("asset", asset_codes))
    views = (("Overdue", "due=overdue"), ("Within an hour", "due=hour"))
    ordering = ("expires_at", "payment_id")
    search_help_text = "The id of a payment or a wallet"
    fields = ("payment", "wallet", "shown_amount", "created_at", "expires_at", "left")
    readonly_fields = ("payment", "wallet", "shown_amount", "left")
    export_columns = (
        ("payment", lambda hold: hold.payment_id),
        ("wallet", lambda hold: hold.sender_wallet_id),
        ("held", lambda hold: to_text(hold.held, hold.scale)),
        ("asset", lambda hold: hold.asset),
        ("created at", lambda hold: hold.created_at),
        ("expires at", lambda hold: hold.expires_at),
    )

    def has_view_permission(self, request: HttpRequest, obj: OpenHold | None = None) -> bool:
        return request.user.has_perm("payments.view_payment")

    def get_queryset(self, request: HttpRequest) -> QuerySet[OpenHold]:
        scale = Asset.objects.filter(pk=OuterRef("asset")).values("scale")
        holds: QuerySet[OpenHold] = super().get_queryset(request)
        return holds.annotate(scale=Subquery(scale))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        try:
            wanted = UUID(search_term.strip())
        except ValueError:
            return queryset.none(), False
        # A wallet's holds are found among its payments, by their index.
        held = Payment.objects.filter(
            sender=wanted, kind=Payment.Kind.AUTHORIZATION, status=Payment.Status.AUTHORIZED
        ).values_list("pk", flat=True)
        return queryset.filter(pk__in=[wanted, *held[:1000]]), False

    @admin.display(description="Payment")
    def payment(self, hold: OpenHold) -> SafeString:
        return identifier(Payment, hold.payment_id)

    @admin.display(description="Wallet")
    def wallet(self, hold: OpenHold) -> SafeString:
        return identifier(Wallet, hold.sender_wallet_id)

    @admin.display(description="Held")
    def shown_amount(self, hold: Any) -> str:
        return f"{to_text(hold.held, hold.scale)}\N{NO-BREAK SPACE}{hold.asset}"

    @admin.display(description="Left")
    def left(self, hold: OpenHold) -> SafeString | str:
        left = hold.expires_at - now()
        if left < timedelta(0):
            return format_html("{} {}", badge("overdue", "danger"), _span(-left))
        return badge(_span(left), "warning") if left < HOUR else _span(left)


def _span(left: timedelta) -> str:
    minutes = int(left.total_seconds() // 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes < 1440 else f"{minutes // 1440} d"
