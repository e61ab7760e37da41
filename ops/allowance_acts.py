"""What staff ask for, or set, about what wallets may pay, and to set balances right: acts on wallets and accounts."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger.admin import AccountAdmin
from ledger.assets import SYSTEM_KINDS
from ledger.models import Account
from ledger.money import to_text
from ops.act_pages import ActingAdmin, ReasonForm, VersionForm
from ops.approvals.actions import ACTIONS
from ops.approvals.adjusting import LONGEST_REFERENCE
from ops.approvals.allowing import wanted_limits
from ops.approvals.proposing import drafted, propose
from ops.approvals.refusing import Refused
from payments.limiting import bounds_of, lower_limits
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import of_staff
from walletplatform.identity.principal import staff
from walletplatform.identity.step_up import code_asked
from wallets.models import Wallet

AMOUNT = r"^[0-9]{1,18}(\.[0-9]{1,8})?$"
LOOK = "Nothing is asked for yet. Nothing happens before somebody else approves it."
LOOK_AGAIN = "Look at what would happen, and ask for it."


def _amount(**more: Any) -> forms.RegexField:
    return forms.RegexField(AMOUNT, widget=UnfoldAdminTextInputWidget, **more)


class ProposalForm(ReasonForm):
    """``seen`` is the hash of what the page showed would happen; empty before it has shown anything."""

    seen = forms.CharField(required=False, widget=forms.HiddenInput)


class AdjustmentForm(ProposalForm):
    amount = _amount()
    direction = forms.ChoiceField(
        choices=[("", "Choose"), ("credit", "Credit: money comes to it"), ("debit", "Debit: money leaves it")],
        widget=UnfoldAdminSelectWidget,
    )
    counter = forms.ChoiceField(
        label="Other side", choices=[(kind, kind.capitalize()) for kind in SYSTEM_KINDS], initial="suspense",
        widget=UnfoldAdminSelectWidget, help_text="The account of the asset that the money comes from, or goes to.",
    )  # fmt: skip
    reference = forms.CharField(
        required=False, max_length=LONGEST_REFERENCE, widget=UnfoldAdminTextInputWidget,
        help_text="What it is made for: a case, a line of a statement. Shown with the payment.",
    )  # fmt: skip
    field_order = ("amount", "direction", "counter", "reference", "reason")


class OverdraftForm(ProposalForm):
    amount = _amount(label="Overdraft", help_text="How far below 0 the wallet may pay. 0: not at all.")
    field_order = ("amount", "reason")


class LimitsFields(forms.Form):
    per_payment = _amount(required=False, label="In one payment", help_text="At most. Empty: no limit.")
    per_day = _amount(
        required=False, label="In a day (UTC)",
        help_text="Transfers, spends and authorizations of a day together, at most. Empty: no limit.",
    )  # fmt: skip


class RaiseForm(LimitsFields, ProposalForm):
    field_order = ("per_payment", "per_day", "reason")


class LowerForm(LimitsFields, VersionForm):
    field_order = ("per_payment", "per_day", "reason")


class ProposingActs(ActingAdmin):
    """A page that shows what would happen before it is asked for."""

    def has_propose_adjustment_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.propose_adjustment")

    def proposal_page(
        self,
        request: HttpRequest,
        object_id: str,
        name: str,
        form_class: type[ProposalForm],
        asked: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        title: str,
        initial: Callable[[Any], dict[str, Any]] = lambda target: {},
    ) -> HttpResponse:
        """Show a form; once filled in, what would come of it; and once that was seen, ask for it."""
        target = self.target(request, object_id)
        if request.method != "POST":
            form = form_class(initial=initial(target))
            return self.show_act(request, target, form, title=title, effect=LOOK, button="Show what would happen")
        form = form_class(request.POST)
        if not form.is_valid():
            return self.show_act(request, target, form, title=title, effect=LOOK, button="Show what would happen")
        given, wanted = form.cleaned_data, ACTIONS[name]
        asking: dict[str, Any] = {"target_id": target.pk, "reason": given["reason"]}
        try:
            draft = drafted(actor=of_staff(request.user), action=wanted, given=asked(given), **asking)  # type: ignore[arg-type]
            if given["seen"] != draft.payload_sha256:
                again = form_class({**request.POST.dict(), "seen": draft.payload_sha256})
                return self.show_act(
                    request, target, again, title=title, effect=f"{wanted.effect(draft)} {LOOK_AGAIN}",
                    preview=wanted.preview(draft),
                )  # fmt: skip
            detour = code_asked(request, self.admin_site)
            if detour is not None:
                return detour
            propose(maker=request.user, action=name, **asking, **asked(given))  # type: ignore[arg-type]
        except (Refused, Problem) as refusal:
            form.add_error(None, refusal.detail)
            return self.show_act(request, target, form, title=title, effect=LOOK, button="Show what would happen")
        messages.success(
            request, f"Proposed: {wanted.title.lower()}. Nothing happens before somebody else approves it."
        )
        return HttpResponseRedirect(self.page_of(target))

    def adjustment_page(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        def asked(given: dict[str, Any]) -> dict[str, Any]:
            parts = ("direction", "counter", "reference")
            return {"amount": Decimal(given["amount"])} | {part: given[part] for part in parts}

        return self.proposal_page(request, object_id, name, AdjustmentForm, asked, title="Propose adjustment")


class WalletAllowanceActs(ProposingActs):
    """Mixed into the page of wallets."""

    actions_detail: tuple[str, ...] = ("propose_adjustment", "propose_overdraft", "set_limits", "propose_limits")
    offered = {
        "propose_adjustment": lambda wallet: not ACTIONS["wallet.adjust"].why_not(wallet),
        "propose_overdraft": lambda wallet: not ACTIONS["wallet.overdraft"].why_not(wallet),
        "set_limits": lambda wallet: wallet.status != Wallet.Status.CLOSED,
        "propose_limits": lambda wallet: not ACTIONS["wallet.limits"].why_not(wallet),
    }

    @action(
        description="Propose adjustment", url_path="propose-adjustment", icon="balance",
        permissions=["propose_adjustment"],
    )  # fmt: skip
    def propose_adjustment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.adjustment_page(request, object_id, "wallet.adjust")

    @action(
        description="Propose overdraft", url_path="propose-overdraft", icon="trending_down",
        permissions=["propose_adjustment"],
    )  # fmt: skip
    def propose_overdraft(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def by_now(wallet: Wallet) -> dict[str, Any]:
            return {"amount": to_text(-(wallet.account.min_available or 0), wallet.asset.scale)}

        return self.proposal_page(
            request, object_id, "wallet.overdraft", OverdraftForm,
            lambda given: {"amount": Decimal(given["amount"])}, title="Propose overdraft", initial=by_now,
        )  # fmt: skip

    @action(description="Propose higher limits", url_path="propose-limits", icon="trending_up", permissions=["propose"])
    def propose_limits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.proposal_page(
            request, object_id, "wallet.limits", RaiseForm, _limits, title="Propose higher limits", initial=_by_now
        )

    @action(description="Set limits", url_path="set-limits", icon="speed", permissions=["operate_wallet"])
    def set_limits(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(wallet: Wallet, given: dict[str, Any]) -> str:
            lower_limits(
                principal=staff(UUID(str(request.user.pk))), wallet_id=wallet.pk,
                wanted=wanted_limits(wallet, _limits(given)), reason=given["reason"],
                expected_etag=f'"{given["version"]}"',
            )  # fmt: skip
            return "The limits are set."

        effect = "At once the wallet pays no more than this. Raising a limit, or taking it away, needs a second person."
        return self.act_page(
            request, object_id, LowerForm, act, title="Set limits", effect=effect,
            initial=lambda wallet: {"version": wallet.version} | _by_now(wallet),
        )  # fmt: skip


def _limits(given: dict[str, Any]) -> dict[str, Any]:
    return {name: Decimal(given[name]) if given[name] else None for name in ("per_payment", "per_day")}


def _by_now(wallet: Wallet) -> dict[str, Any]:
    bounds, scale = bounds_of(wallet), wallet.asset.scale
    by_name = {"per_payment": bounds.per_payment, "per_day": bounds.per_day}
    return {name: "" if minor is None else to_text(minor, scale) for name, minor in by_name.items()}


# The ledger's own page knows nothing of approvals, which stand above it.
admin.site.unregister(Account)


@admin.register(Account)
class OperatedAccountAdmin(ProposingActs, AccountAdmin):
    summary = ("shown_balance",)
    actions_detail = ("propose_account_adjustment",)
    offered = {"propose_account_adjustment": lambda account: account.kind != Account.Kind.WALLET}

    @action(
        description="Propose adjustment", url_path="propose-adjustment", icon="balance",
        permissions=["propose_adjustment"],
    )  # fmt: skip
    def propose_account_adjustment(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.adjustment_page(request, object_id, "account.adjust")
