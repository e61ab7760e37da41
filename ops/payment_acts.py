"""What staff do about a payment at once: capture or void what is held, give back a little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action
from unfold.widgets import UnfoldBooleanWidget

from ledger.admin import money
from ledger.money import to_minor, to_text
from ops.act_pages import ActingAdmin, ReasonForm, RefundForm
from ops.approvals.actions import refundable
from ops.approvals.targets import changes, state_of
from ops.approvals.thresholds import largest, largest_alone
from ops.operating import command_of, is_done, operate
from ops.previews import shown
from payments.commands import Act, Capture, Refund, Void
from payments.engine import preview
from payments.models import Payment
from walletplatform.api.problems import Problem
from walletplatform.identity.step_up import code_asked

SALT = "act"
NOT_SEEN = "This was not shown before: look at what would happen now, and confirm it."
LOOK = "You changed what is asked for: this is what would happen now. Confirm it."


class SeenForm(forms.Form):
    """``seen`` is what the page showed, under a signature; ``key`` makes a second click the same as the first."""

    key = forms.UUIDField(widget=forms.HiddenInput)
    seen = forms.CharField(widget=forms.HiddenInput)


class VoidForm(SeenForm, ReasonForm):
    pass


class AmountForm(SeenForm, RefundForm):
    pass


class CaptureForm(AmountForm):
    final = forms.BooleanField(
        required=False, label="Release the rest", initial=True, widget=UnfoldBooleanWidget,
        help_text="What is not captured goes back to the sender's available balance, and the hold ends.",
    )  # fmt: skip
    field_order: tuple[str, ...] = ("amount", "final", "reason")


def is_held(payment: Payment) -> bool:
    return payment.status == Payment.Status.AUTHORIZED


def may_be_given_back_alone(payment: Payment) -> bool:
    return refundable(payment) > 0 and bool(largest_alone(payment))


class PaymentActs(ActingAdmin):
    """Mixed into the page of payments."""

    actions_detail: tuple[str, ...] = ("capture", "void", "refund")
    offered = {"capture": is_held, "void": is_held, "refund": may_be_given_back_alone}

    @action(description="Capture", url_path="capture", icon="check_circle", permissions=["operate_payment"])
    def capture(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def all_of_it(payment: Payment) -> int:
            return (payment.authorized_amount or 0) - payment.captured_amount if is_held(payment) else 0

        return self.money_page(
            request, object_id, Capture, CaptureForm, title="Capture", most=all_of_it,
            effect="What is captured goes to the receiver at once.",
        )  # fmt: skip

    @action(description="Void", url_path="void", icon="lock_open", permissions=["operate_payment"])
    def void(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.money_page(
            request, object_id, Void, VoidForm, title="Void (release the hold)",
            effect="What is still held goes back to the sender's available balance, and the authorization ends.",
        )  # fmt: skip

    @action(description="Refund", url_path="refund", icon="keyboard_return", permissions=["operate_payment"])
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def as_much_as_one_may(payment: Payment) -> int:
            return min(max(refundable(payment), 0), largest_alone(payment) or 0)

        return self.money_page(
            request, object_id, Refund, AmountForm, title="Refund", most=as_much_as_one_may,
            effect="A small amount goes back at once to where it came from. More than this needs a second person: "
            "propose it instead.",
        )  # fmt: skip

    def money_page(
        self,
        request: HttpRequest,
        object_id: str,
        kind: type[Act],
        form_class: type[SeenForm],
        *,
        title: str,
        effect: str,
        most: Callable[[Payment], int] | None = None,
    ) -> HttpResponse:
        """
        Show what ``kind`` would do, and do it once that was seen: the same payment, the same amount, the same state.

        ``most`` is what can be asked for at most, in minor units, where an amount is asked for.
        """
        payment: Payment = self.target(request, object_id)
        form = form_class(request.POST) if request.method == "POST" else None
        if form is None:
            first = {"amount": _text(payment, most)} | ({"final": True} if kind is Capture else {})
            return self._offer(request, payment, kind, form_class, first, title=title, effect=effect)
        if not form.is_valid():
            return self.show_act(request, payment, form, title=title, effect=effect)
        given = form.cleaned_data
        command = self._command(request, payment, kind, given)
        try:
            done = is_done(command)
        except Problem:  # back in the browser, and something else asked for: the key is used up
            messages.error(request, NOT_SEEN)
            return self._offer(request, payment, kind, form_class, given, title=title, effect=effect)
        if not done:
            if why := _out_of_bounds(payment, given, most):
                form.add_error("amount", why)
                return self.show_act(request, payment, form, title=title, effect=effect)
            seen = _read(given["seen"])
            if not seen:
                messages.error(request, NOT_SEEN)
                return self._offer(request, payment, kind, form_class, given, title=title, effect=effect)
            if differences := changes(seen["state"], state_of(payment)):
                messages.error(request, f"The payment has changed since you opened the page: {differences}.")
                return self._offer(request, payment, kind, form_class, given, title=title, effect=effect)
            if seen["asked"] != _asked(given):
                messages.warning(request, LOOK)
                return self._offer(request, payment, kind, form_class, given, title=title, effect=effect)
        detour = code_asked(request, self.admin_site)
        if detour is not None:
            return detour
        try:
            operate(command)
        except Problem as problem:
            form.add_error(None, problem.detail)
            return self.show_act(request, payment, form, title=title, effect=effect)
        messages.success(request, f"Done: {title.lower()}.")
        return HttpResponseRedirect(self.page_of(payment))

    def _offer(
        self, request: HttpRequest, payment: Payment, kind: type[Act], form_class: type[SeenForm],
        given: dict[str, Any], *, title: str, effect: str,
    ) -> HttpResponse:  # fmt: skip
        """Show what would happen, and a form that says what was shown."""
        asked = given | {"key": uuid4(), "reason": given.get("reason", "")}
        foreseen = shown(preview(self._command(request, payment, kind, asked)))
        seen = signing.dumps({"state": state_of(payment), "asked": _asked(asked)}, salt=SALT)
        form = form_class(initial=asked | {"seen": seen})
        return self.show_act(request, payment, form, title=title, effect=effect, preview=foreseen)

    def _command(self, request: HttpRequest, payment: Payment, kind: type[Act], given: dict[str, Any]) -> Act:
        more: dict[str, Any] = {"final": given["final"]} if kind is Capture else {}
        amount = Decimal(given["amount"]) if given.get("amount") and kind is not Void else None
        command = command_of(
            kind, user=request.user, payment_id=payment.pk, key=str(given["key"]), reason=given["reason"],  # type: ignore[arg-type]
            amount=amount, **more,
        )  # fmt: skip
        # Not of what was asked, which its fingerprint tells: under the lock it must still be small.
        return replace(command, at_most=largest(payment)) if isinstance(command, Refund) else command


def _text(payment: Payment, most: Callable[[Payment], int] | None) -> str:
    return to_text(most(payment), payment.asset.scale) if most else ""


def _asked(given: dict[str, Any]) -> list[Any]:
    return [str(given.get("amount") or ""), bool(given.get("final"))]


def _out_of_bounds(payment: Payment, given: dict[str, Any], most: Callable[[Payment], int] | None) -> str:
    """Why an amount cannot be asked for here; "" where it can."""
    if most is None:
        return ""
    minor, limit = to_minor(Decimal(given["amount"]), payment.asset.scale), most(payment)
    if minor is not None and 0 < minor <= limit:
        return ""
    return f"An amount of up to {money(limit, payment.asset)}, with {payment.asset.scale} decimals at most."


def _read(seen: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = signing.loads(seen, salt=SALT)
    except signing.BadSignature:
        return {}
    return found
