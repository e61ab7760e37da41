"""A page for an act of staff: what it is about and a form; a GET shows it, only a POST acts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.dataclasses import UnfoldAction
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from ops.approvals.proposing import LONGEST_REASON, SHORTEST_REASON
from ops.approvals.refusing import Refused, refused_where_busy
from walletplatform.api.problems import Problem
from walletplatform.identity.step_up import code_asked


class ReasonForm(forms.Form):
    reason = forms.CharField(
        min_length=SHORTEST_REASON, max_length=LONGEST_REASON, widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text=f"For whoever reads the audit trail: {SHORTEST_REASON} to {LONGEST_REASON} characters.",
    )  # fmt: skip


class RefundForm(ReasonForm):
    # Digits and a point only: a Decimal of Python's would take an exponent or NaN as well.
    amount = forms.RegexField(r"^[0-9]{1,18}(\.[0-9]{1,8})?$", widget=UnfoldAdminTextInputWidget)
    field_order: tuple[str, ...] = ("amount", "reason")


class DecisionForm(ReasonForm):
    verdict = forms.ChoiceField(
        choices=[("", "Choose"), ("approve", "Let it happen"), ("deny", "Deny it, for good")],
        widget=UnfoldAdminSelectWidget,
    )
    field_order = ("verdict", "reason")


class VersionForm(ReasonForm):
    """``version`` is that of the wallet which the person saw."""

    version = forms.IntegerField(widget=forms.HiddenInput)


class ActingAdmin(ModelAdmin):  # type: ignore[misc]
    """
    A read-only page of the console with buttons, each of which leads to a page of ``act_page``.

    ``offered`` says of each action whether it is a target's state that allows it; the right to it is the action's
    own ``permissions``. ``summary`` are the columns that the page of an act says about its target.
    """

    offered: Mapping[str, Callable[[Any], bool]] = {}
    summary: tuple[str, ...] = ()

    def has_propose_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        # By name in an action's ``permissions`` it would be looked up by a check that runs before any migration.
        return request.user.has_perm("ops.propose_approval")

    def has_suspend_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.suspend_wallet")

    def has_retry_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.retry_job")

    def has_operate_wallet_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.operate_wallet")

    def has_operate_payment_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.operate_payment")

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[UnfoldAction]:
        target = self.get_object(request, unquote(object_id))
        if target is None:
            return []
        allowed: list[UnfoldAction] = super().get_actions_detail(request, object_id)
        return [one for one in allowed if self.offered[one.method.original_function_name](target)]

    def act_page(
        self,
        request: HttpRequest,
        object_id: str,
        form_class: type[forms.Form],
        act: Callable[[Any, dict[str, Any]], str | HttpResponse],
        *,
        title: str,
        effect: str,
        initial: Callable[[Any], dict[str, Any]] = lambda target: {},
        dangerous: bool = False,
    ) -> HttpResponse:
        """
        Show the form; posted and valid, ``act(target, its data)`` and go back to the target's page.

        ``act`` returns what to tell, or a page that does, or raises ``Refused`` or ``Problem``, which the form then
        shows. What is ``dangerous`` asks for the second factor again where it was shown a while ago.
        """
        target = self.target(request, object_id)
        form = form_class(request.POST if request.method == "POST" else None, initial=initial(target))
        if request.method == "POST" and form.is_valid():
            detour = code_asked(request, self.admin_site) if dangerous else None
            if detour is not None:
                return detour
            try:
                with refused_where_busy():
                    done = act(target, form.cleaned_data)
                if isinstance(done, HttpResponse):
                    return done
                messages.success(request, done)
                return HttpResponseRedirect(self.page_of(target))
            except (Refused, Problem) as refusal:
                form.add_error(None, refusal.detail)
        return self.show_act(request, target, form, title=title, effect=effect)

    def show_act(
        self, request: HttpRequest, target: Any, form: forms.Form, *, title: str, effect: str, **more: Any
    ) -> HttpResponse:
        """Return the page of an act: what it is about, what it does, and the form."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts, "original": target, "title": title, "effect": effect, "form": form,
            "back": self.page_of(target),
            "summary": ", ".join(getattr(self, column)(target) for column in self.summary), **more,
        }  # fmt: skip
        return TemplateResponse(request, "admin/act.html", context)

    def target(self, request: HttpRequest, object_id: str) -> Any:
        """Return what the page is about, to whom may see it; else a page that says that there is none."""
        target = self.get_object(request, unquote(object_id))
        if target is None:
            raise Http404
        if not self.has_view_permission(request, target):
            raise PermissionDenied
        return target

    def page_of(self, target: Model) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[target.pk])
