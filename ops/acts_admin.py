"""What staff may do about payments and wallets: buttons on their pages in the console."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import action

from ledger.admin import link
from ledger.money import to_text
from ops.act_pages import ActingAdmin, DecisionForm, ReasonForm, RefundForm, VersionForm
from ops.approvals.actions import ACTIONS, refundable
from ops.approvals.models import Approval
from ops.approvals.proposing import propose
from payments.admin import PaymentAdmin
from payments.models import Payment
from walletplatform.identity.principal import staff
from wallets.admin import WalletAdmin
from wallets.lifecycle import change_status
from wallets.models import Wallet

SHOWN_REQUESTS = 20
SECOND_PERSON = "Nothing happens before somebody else approves it."

# The money apps' own pages know nothing of approvals, which stand above them.
admin.site.unregister([Payment, Wallet])


def _may_be_asked_for(name: str) -> Any:
    return lambda target: not ACTIONS[name].why_not(target)


def _proposed(request: HttpRequest, name: str, target_id: UUID, reason: str, **given: Any) -> str:
    propose(maker=request.user, action=name, target_id=target_id, reason=reason, **given)  # type: ignore[arg-type]
    return f"Proposed: {ACTIONS[name].title.lower()}. {SECOND_PERSON}"


def _requests(target_id: UUID) -> SafeString | str:
    """The latest requests about a target, each with what became of it."""
    found = Approval.objects.filter(target_id=target_id).order_by("-id")[:SHOWN_REQUESTS]
    return format_html_join(
        mark_safe("<br>"),
        "{}: {}",
        ((link(Approval, one.pk, ACTIONS[one.action].title), one.get_state_display().lower()) for one in found),
    )


@admin.register(Payment)
class OperatedPaymentAdmin(ActingAdmin, PaymentAdmin):
    fields: Any = (*PaymentAdmin.fields[:3], "requests", *PaymentAdmin.fields[3:])
    readonly_fields: Any = (*PaymentAdmin.readonly_fields, "requests")
    summary = ("shown_status", "shown_amount")
    actions_detail = ("propose_reversal", "propose_refund", "propose_decision")
    offered = {
        "propose_reversal": _may_be_asked_for("payment.reverse"),
        "propose_refund": _may_be_asked_for("payment.refund"),
        "propose_decision": _may_be_asked_for("payment.review"),
    }

    @admin.display(description="Requests")
    def requests(self, payment: Payment) -> SafeString | str:
        return _requests(payment.pk)

    @action(description="Propose reversal", url_path="propose-reversal", icon="undo", permissions=["propose"])
    def propose_reversal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(payment: Payment, given: dict[str, Any]) -> str:
            return _proposed(request, "payment.reverse", payment.pk, given["reason"])

        effect = f"The payment is undone as a whole: its money goes back to where it came from. {SECOND_PERSON}"
        return self.act_page(request, object_id, ReasonForm, act, title="Propose reversal", effect=effect)

    @action(description="Propose refund", url_path="propose-refund", icon="keyboard_return", permissions=["propose"])
    def propose_refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(payment: Payment, given: dict[str, Any]) -> str:
            return _proposed(request, "payment.refund", payment.pk, given["reason"], amount=Decimal(given["amount"]))

        def all_of_it(payment: Payment) -> dict[str, Any]:
            return {"amount": to_text(max(refundable(payment), 0), payment.asset.scale)}

        effect = f"The amount goes back to where it came from. {SECOND_PERSON}"
        return self.act_page(
            request, object_id, RefundForm, act, title="Propose refund", effect=effect, initial=all_of_it
        )

    @action(description="Propose decision", url_path="propose-decision", icon="gavel", permissions=["propose"])
    def propose_decision(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(payment: Payment, given: dict[str, Any]) -> str:
            verdict = given["verdict"] == "approve"
            return _proposed(request, "payment.review", payment.pk, given["reason"], approve=verdict)

        effect = f"The payment waits for a decision: it is let happen, or fails. {SECOND_PERSON}"
        return self.act_page(request, object_id, DecisionForm, act, title="Propose decision", effect=effect)


@admin.register(Wallet)
class OperatedWalletAdmin(ActingAdmin, WalletAdmin):
    fields: Any = (*WalletAdmin.fields[:4], "requests", *WalletAdmin.fields[4:])
    readonly_fields: Any = (*WalletAdmin.readonly_fields, "requests")
    summary = ("shown_status", "shown_balance")
    actions_detail = ("suspend", "propose_unfreeze")
    offered = {
        "suspend": lambda wallet: wallet.status == Wallet.Status.ACTIVE,
        "propose_unfreeze": _may_be_asked_for("wallet.activate"),
    }

    @admin.display(description="Requests")
    def requests(self, wallet: Wallet) -> SafeString | str:
        return _requests(wallet.pk)

    @action(description="Suspend wallet", url_path="suspend", icon="block", permissions=["suspend"])
    def suspend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(wallet: Wallet, given: dict[str, Any]) -> str:
            change_status(
                principal=staff(UUID(str(request.user.pk))), wallet_id=wallet.pk, status=Wallet.Status.SUSPENDED,
                reason=given["reason"], expected_etag=f'"{given["version"]}"',
            )  # fmt: skip
            return "The wallet is suspended."

        effect = "At once no money moves into the wallet or out of it, until two people unfreeze it."
        return self.act_page(
            request, object_id, VersionForm, act, title="Suspend wallet", effect=effect,
            initial=lambda wallet: {"version": wallet.version},
        )  # fmt: skip

    @action(description="Propose unfreeze", url_path="propose-unfreeze", icon="lock_open", permissions=["propose"])
    def propose_unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(wallet: Wallet, given: dict[str, Any]) -> str:
            return _proposed(request, "wallet.activate", wallet.pk, given["reason"])

        effect = f"The wallet becomes active: money moves into it and out of it again. {SECOND_PERSON}"
        return self.act_page(request, object_id, ReasonForm, act, title="Propose unfreeze", effect=effect)
