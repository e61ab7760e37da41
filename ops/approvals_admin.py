"""Approvals in the console: what waits for a second person, by whom, and what would happen."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextareaWidget

from ledger import clock
from ledger.admin import ReadOnlyAdmin, link, listed
from ledger.models import Account
from ops.approvals.actions import ACTIONS
from ops.approvals.deciding import approve, reject
from ops.approvals.models import Approval
from ops.approvals.proposing import cancel
from ops.approvals.refusing import Refused, refused_where_busy
from ops.approvals.targets import changes, read_target, state_of
from ops.approvals_queue import Waiting, tabs
from ops.reconciliation.models import Finding
from payments.models import Payment
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client, User
from walletplatform.identity.step_up import code_asked
from wallets.models import Wallet

COLOURS = {
    "PENDING": "warning", "APPROVED": "info", "EXECUTED": "success", "REJECTED": "danger", "FAILED": "danger",
}  # fmt: skip
TARGETS: dict[str, type[Model]] = {
    "payment": Payment, "wallet": Wallet, "user": User, "client": Client, "account": Account, "finding": Finding,
}  # fmt: skip


class DecisionForm(forms.Form):
    """``seen`` is the hash of what the page showed: that is what is approved, and nothing that took its place."""

    seen = forms.CharField(widget=forms.HiddenInput)
    note = forms.CharField(
        required=False, max_length=1000, widget=UnfoldAdminTextareaWidget({"rows": 2}),
        help_text="For the maker and the audit trail; a rejection needs one.",
    )  # fmt: skip
    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("reject", "Reject")])


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Who may only propose sees their own requests; who may see approvals sees all."""

    list_display = ("what", "shown_state", "amount", "effect", "target", "maker", "age", "left")
    list_filter = (Waiting,)
    list_before_template = "admin/approval_tabs.html"
    ordering = ("-id",)
    id_lookups = ("pk", "target_id", "maker_id")
    search_help_text = "The id of a request, a payment, a wallet or a person"
    fields = (
        "id", "what", "state_words", "full_effect", "full_target", "reason", "maker", "age", "created_at", "expires_at",
        "at_the_time", "decided_by_name", "decided_at", "note", "executed_at", "shown_result", "digest", "told",
    )  # fmt: skip
    readonly_fields = (
        "what", "state_words", "full_effect", "full_target", "maker", "age", "at_the_time", "shown_result", "digest",
        "told",
    )  # fmt: skip
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

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, (extra_context or {}) | {"approval_tabs": tabs(request)})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        approval = self.get_object(request, unquote(object_id))
        context = {"decision": self._decision(request, approval)} if approval is not None else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | context)  # type: ignore[no-any-return]

    def _decision(self, request: HttpRequest, approval: Approval) -> dict[str, Any]:
        pending, own = approval.state == Approval.State.PENDING, approval.maker_id == request.user.pk
        offered = pending and not own and request.user.has_perm(ACTIONS[approval.action].decided_by)
        return {
            "own": pending and own,
            "offered": offered,
            "effect": self.effect(approval),
            "changed": _changed(approval) if offered else "",
            "preview": ACTIONS[approval.action].preview(approval) if pending else {},
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
        detour = code_asked(request, self.admin_site)
        if detour is not None:
            return detour
        try:
            with refused_where_busy():
                decided = act(approval, request.user)
            _tell(request, decided)
        except Refused as refusal:
            if refusal.code == "forbidden":
                raise PermissionDenied from refusal
            messages.error(request, refusal.detail)
        return HttpResponseRedirect(reverse("admin:ops_approval_change", args=[approval.pk]))

    @admin.display(description="Request")
    def what(self, approval: Approval) -> str:
        return ACTIONS[approval.action].title

    @display(description="State", label=COLOURS)
    def shown_state(self, approval: Approval) -> tuple[str, str]:
        return approval.state, approval.get_state_display()

    @admin.display(description="State")
    def state_words(self, approval: Approval) -> str:
        return approval.get_state_display()

    @admin.display(description="Amount")
    def amount(self, approval: Approval) -> str:
        given = approval.payload.get("amount")
        return f"{given}\N{NO-BREAK SPACE}{approval.asset}" if given and approval.asset else ""

    @admin.display(description="Asked for by")
    def maker(self, approval: Approval) -> str:
        return (
            f"{approval.maker_name or approval.maker_id}{' (client system)' if approval.maker_kind == 'client' else ''}"
        )

    @admin.display(description="Expires in")
    def left(self, approval: Approval) -> str:
        if approval.state != Approval.State.PENDING:
            return ""
        return timeuntil(approval.expires_at) if approval.expires_at > clock.now() else "expired"

    @admin.display(description="What will happen")
    def effect(self, approval: Approval) -> str:
        return ACTIONS[approval.action].effect(approval)

    @admin.display(description="What will happen")
    def full_effect(self, approval: Approval) -> SafeString:
        return _wrapped(self.effect(approval))

    @admin.display(description="About")
    def target(self, approval: Approval) -> SafeString:
        return link(TARGETS[approval.target_type], approval.target_id, f"{approval.target_type} {_short(approval)}")

    @admin.display(description="About")
    def full_target(self, approval: Approval) -> SafeString:
        return link(TARGETS[approval.target_type], approval.target_id)

    @admin.display(description="SHA-256 of what was asked for")
    def digest(self, approval: Approval) -> SafeString:
        return _wrapped(approval.payload_sha256)

    @admin.display(description="Age")
    def age(self, approval: Approval) -> str:
        return timesince(approval.created_at)

    @admin.display(description="As it stood then")
    def at_the_time(self, approval: Approval) -> str:
        return ", ".join(
            f"{name.replace('_', ' ')} {_worded(value)}"
            for name, value in approval.expected.items()
            if value is not None
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


def _worded(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _wrapped(text: str) -> SafeString:
    return format_html('<span class="ops-wrap">{}</span>', text)


def _short(approval: Approval) -> str:
    return f"…{str(approval.target_id)[-8:]}"


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
