"""Approvals in the console: what waits for a second person, by whom, and what would happen."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from ledger.admin import ReadOnlyAdmin, link, listed
from ops.approvals.actions import ACTIONS
from ops.approvals.deciding import approve, reject
from ops.approvals.models import Approval
from ops.approvals.proposing import cancel
from ops.approvals.refusing import Refused
from ops.approvals.targets import changes, read_target, state_of
from payments.models import Payment
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import User
from wallets.models import Wallet

COLOURS = {
    "PENDING": "warning", "APPROVED": "info", "EXECUTED": "success", "REJECTED": "danger", "FAILED": "danger",
}  # fmt: skip
TARGETS = {"payment": Payment, "wallet": Wallet}


class DecisionForm(forms.Form):
    """``seen`` is the hash of what the page showed: that is what is approved, and nothing that took its place."""

    seen = forms.CharField(widget=forms.HiddenInput)
    note = forms.CharField(
        required=False, max_length=1000, widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="For the maker and the audit trail; a rejection needs one.",
    )  # fmt: skip
    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject")])


class Waiting(admin.SimpleListFilter):
    title = "state"
    parameter_name = "show"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("decided", "Decided"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "Waiting"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Approval]) -> QuerySet[Approval]:
        if self.value() == "decided":
            return queryset.exclude(state__in=Approval.OPEN)
        return queryset if self.value() == "all" else queryset.filter(state__in=Approval.OPEN)


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Who may only propose sees their own requests; who may see approvals sees all."""

    list_display = ("what", "shown_state", "effect", "target", "maker_name", "age", "expires_at")
    list_filter = (Waiting,)
    ordering = ("-id",)
    id_lookups = ("pk", "target_id", "maker_id")
    search_help_text = "The id of a request, a payment, a wallet or a person"
    fields = (
        "id", "what", "shown_state", "effect", "target", "reason", "maker_name", "age", "created_at", "expires_at",
        "at_the_time", "decided_by_name", "decided_at", "note", "executed_at", "shown_result", "payload_sha256", "told",
    )  # fmt: skip
    readonly_fields = ("what", "shown_state", "effect", "target", "age", "at_the_time", "shown_result", "told")
    change_form_outer_before_template = "admin/approval.html"

    def has_view_permission(self, request: HttpRequest, obj: Approval | None = None) -> bool:
        return request.user.has_perm("ops.view_approval") or request.user.has_perm("ops.propose_approval")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Approval]:
        approvals: QuerySet[Approval] = super().get_queryset(request)
        if request.user.has_perm("ops.view_approval"):
            return approvals
        return approvals.filter(maker_id=str(request.user.pk))

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<path:object_id>/decide/", self.admin_site.admin_view(self.decide_view), name="ops_approval_decide"),
            path("<path:object_id>/cancel/", self.admin_site.admin_view(self.cancel_view), name="ops_approval_cancel"),
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        approval = self.get_object(request, unquote(object_id))
        context = {"decision": self._decision(request, approval)} if approval is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)  # type: ignore[no-any-return]

    def _decision(self, request: HttpRequest, approval: Approval) -> dict[str, Any]:
        pending, own = approval.state == Approval.State.PENDING, approval.maker_id == request.user.pk
        offered = pending and not own and request.user.has_perm("ops.decide_approval")
        return {
            "own": pending and own,
            "offered": offered,
            "effect": self.effect(approval),
            "changed": _changed(approval) if offered else "",
            "form": DecisionForm(initial={"seen": approval.payload_sha256}),
            "decide": reverse("admin:ops_approval_decide", args=[approval.pk]),
            "cancel": reverse("admin:ops_approval_cancel", args=[approval.pk]),
        }

    def decide_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(approval: Approval, user: User) -> Approval:
            form = DecisionForm(request.POST)
            if not form.is_valid():
                raise Refused("invalid", "Approve or reject with a note of 1,000 characters at most.")
            given = form.cleaned_data
            if given["verdict"] == "reject":
                return reject(checker=user, approval_id=approval.pk, note=given["note"])
            return approve(checker=user, approval_id=approval.pk, seen=given["seen"], note=given["note"])

        return self._act(request, object_id, act)

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._act(request, object_id, lambda approval, user: cancel(maker=user, approval_id=approval.pk))

    def _act(self, request: HttpRequest, object_id: str, act: Any) -> HttpResponse:
        """Do it, if posted, and go back to the page, which tells what came of it."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.has_view_permission(request):
            raise PermissionDenied
        approval = self.get_object(request, unquote(object_id))
        if approval is None:
            raise Http404
        try:
            _tell(request, act(approval, request.user))
        except Refused as refusal:
            if refusal.code == "forbidden":
                raise PermissionDenied from refusal
            messages.error(request, refusal.detail)
        return HttpResponseRedirect(reverse("admin:ops_approval_change", args=[approval.pk]))

    @admin.display(description="Request")
    def what(self, approval: Approval) -> str:
        return ACTIONS[approval.action].title

    @display(description="State", label=COLOURS)
    def shown_state(self, approval: Approval) -> str:
        return approval.state

    @admin.display(description="What will happen")
    def effect(self, approval: Approval) -> str:
        return ACTIONS[approval.action].effect(approval)

    @admin.display(description="About")
    def target(self, approval: Approval) -> SafeString:
        return link(TARGETS[approval.target_type], approval.target_id)

    @admin.display(description="Age")
    def age(self, approval: Approval) -> str:
        return timesince(approval.created_at)

    @admin.display(description="As it stood then")
    def at_the_time(self, approval: Approval) -> str:
        return ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in approval.expected.items() if value is not None
        )

    @admin.display(description="What came of it")
    def shown_result(self, approval: Approval) -> SafeString | str:
        if approval.result is None:
            return ""
        made = approval.result.get("payment_id")
        shown = json.dumps(approval.result, ensure_ascii=False)
        return format_html("{} {}", link(Payment, made, "The payment."), shown) if made else shown

    @admin.display(description="Audit trail")
    def told(self, approval: Approval) -> SafeString:
        return listed(AuditEntry, "Every step", q=approval.pk)


def _changed(approval: Approval) -> str:
    return changes(approval.expected, state_of(read_target(approval.target_type, approval.target_id)))


def _tell(request: HttpRequest, approval: Approval) -> None:
    if approval.state == Approval.State.FAILED:
        why = (approval.result or {}).get("detail") or "see what came of it"
        messages.error(request, f"Approved, but it could not be done: {why}")
    elif approval.state == Approval.State.APPROVED:
        messages.warning(request, "Approved. It cannot be done right now, and is tried again within minutes.")
    else:
        messages.success(request, f"{approval.get_state_display()}.")
