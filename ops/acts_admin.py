"""What staff may do about payments and wallets: buttons on their pages in the console."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action

from ledger.money import to_text
from ops.act_pages import DecisionForm, ReasonForm, RefundForm
from ops.allowance_acts import WalletAllowanceActs
from ops.approvals.actions import ACTIONS, refundable
from ops.approvals.proposing import propose
from ops.console.payment_page import PaymentPage
from ops.console.wallet_page import WalletPage
from ops.payment_acts import PaymentActs
from ops.wallet_acts import WalletActs
from ops.wallet_statement import WalletStatement
from payments.admin import PaymentAdmin
from payments.models import Payment
from wallets.admin import WalletAdmin
from wallets.models import Wallet

SECOND_PERSON = "Nothing happens before somebody else approves it."

# The money apps' own pages know nothing of approvals, which stand above them.
admin.site.unregister([Payment, Wallet])


def _may_be_asked_for(name: str) -> Any:
    return lambda target: not ACTIONS[name].why_not(target)


def _proposed(request: HttpRequest, name: str, target_id: UUID, reason: str, **given: Any) -> str:
    propose(maker=request.user, action=name, target_id=target_id, reason=reason, **given)  # type: ignore[arg-type]
    return f"Proposed: {ACTIONS[name].title.lower()}. {SECOND_PERSON}"


@admin.register(Payment)
class OperatedPaymentAdmin(PaymentPage, PaymentActs, PaymentAdmin):
    summary = ("shown_status", "shown_amount")
    actions_detail = (*PaymentActs.actions_detail, "propose_reversal", "propose_refund", "propose_decision")
    offered = PaymentActs.offered | {
        "propose_reversal": _may_be_asked_for("payment.reverse"),
        "propose_refund": _may_be_asked_for("payment.refund"),
        "propose_decision": _may_be_asked_for("payment.review"),
    }

    @action(description="Propose reversal", url_path="propose-reversal", icon="undo", permissions=["propose"])
    def propose_reversal(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(payment: Payment, given: dict[str, Any]) -> str:
            return _proposed(request, "payment.reverse", payment.pk, given["reason"])

        effect = f"The payment is undone as a whole: its money goes back to where it came from. {SECOND_PERSON}"
        return self.act_page(
            request, object_id, ReasonForm, act, title="Propose reversal", effect=effect, dangerous=True
        )

    @action(description="Propose refund", url_path="propose-refund", icon="keyboard_return", permissions=["propose"])
    def propose_refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(payment: Payment, given: dict[str, Any]) -> str:
            return _proposed(request, "payment.refund", payment.pk, given["reason"], amount=Decimal(given["amount"]))

        def all_of_it(payment: Payment) -> dict[str, Any]:
            return {"amount": to_text(max(refundable(payment), 0), payment.asset.scale)}

        effect = f"The amount goes back to where it came from. {SECOND_PERSON}"
        return self.act_page(
            request, object_id, RefundForm, act, title="Propose refund", effect=effect, initial=all_of_it,
            dangerous=True,
        )  # fmt: skip

    @action(description="Propose decision", url_path="propose-decision", icon="gavel", permissions=["propose"])
    def propose_decision(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(payment: Payment, given: dict[str, Any]) -> str:
            verdict = given["verdict"] == "approve"
            return _proposed(request, "payment.review", payment.pk, given["reason"], approve=verdict)

        effect = f"The payment waits for a decision: it is let happen, or fails. {SECOND_PERSON}"
        return self.act_page(
            request, object_id, DecisionForm, act, title="Propose decision", effect=effect, dangerous=True
        )


@admin.register(Wallet)
class OperatedWalletAdmin(WalletPage, WalletStatement, WalletActs, WalletAllowanceActs, WalletAdmin):
    # Its page tells its limits, too.
    list_select_related = (*WalletAdmin.list_select_related, "limits")
    summary = ("shown_status", "shown_balance")
    actions_detail = (
        *WalletStatement.actions_detail, *WalletActs.actions_detail, "propose_unfreeze",
        *WalletAllowanceActs.actions_detail,
    )  # fmt: skip
    offered = (
        WalletStatement.offered | WalletActs.offered | WalletAllowanceActs.offered
        | {"propose_unfreeze": _may_be_asked_for("wallet.activate")}
    )  # fmt: skip

    @action(description="Propose unfreeze", url_path="propose-unfreeze", icon="lock_open", permissions=["propose"])
    def propose_unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(wallet: Wallet, given: dict[str, Any]) -> str:
            return _proposed(request, "wallet.activate", wallet.pk, given["reason"])

        effect = f"The wallet becomes active: money moves into it and out of it again. {SECOND_PERSON}"
        return self.act_page(
            request, object_id, ReasonForm, act, title="Propose unfreeze", effect=effect, dangerous=True
        )
