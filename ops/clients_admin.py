"""What is done about client systems. One that does more than read is let in by two, and gets a new secret by two."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextInputWidget

from ledger.models import Asset
from ops.act_pages import ActingAdmin, ReasonForm
from ops.approvals.proposing import propose, propose_here
from ops.approvals.refusing import Refused
from walletplatform.audit.actors import of_staff
from walletplatform.identity.admin import ClientAdmin
from walletplatform.identity.clients import create_client, put_secret, set_active
from walletplatform.identity.models import Client
from walletplatform.identity.scopes import READ_ONLY, SCOPES
from walletplatform.identity.step_up import code_asked

# Its own page knows nothing of approvals, which stand above it.
admin.site.unregister(Client)

BY_TWO = "Where the client does more than read, another administrator approves it first."


class NewClientForm(ReasonForm):
    name = forms.CharField(max_length=80, widget=UnfoldAdminTextInputWidget)
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{words} ({scope})") for scope, words in SCOPES.items()],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    assets = forms.MultipleChoiceField(
        choices=lambda: [(code, code) for code in Asset.objects.order_by("code").values_list("code", flat=True)[:200]],
        widget=UnfoldAdminCheckboxSelectMultipleWidget, required=False,
        help_text="None chosen: all of them, also later ones.",
    )  # fmt: skip
    field_order = ("name", "scopes", "assets", "reason")


@admin.register(Client)
class OperatedClientAdmin(ActingAdmin, ClientAdmin):
    summary = ("shown_assets",)
    actions_list = ("make",)
    actions_detail = ("renew", "stop", "let_in")
    offered = {
        "renew": lambda client: True,
        "stop": lambda client: client.active,
        "let_in": lambda client: not client.active,
    }

    def has_make_client_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("identity.add_client")

    def has_change_client_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("identity.change_client")

    @action(description="Make a client", url_path="make", icon="add", permissions=["make_client"])
    def make(self, request: HttpRequest) -> HttpResponse:
        form = NewClientForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            detour = code_asked(request, self.admin_site)
            if detour is not None:
                return detour
            try:
                return self._made(request, form.cleaned_data)
            except ValidationError as error:
                form.add_error("name", error.messages)
            except Refused as refusal:
                form.add_error(None, refusal.detail)
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": "Make a client", "form": form,
            "effect": f"A system that may use the API. Its secret is shown once, on the next page. {BY_TWO}",
            "back": reverse("admin:identity_client_changelist"),
        }  # fmt: skip
        return TemplateResponse(request, "admin/act.html", context)

    @atomic
    def _made(self, request: HttpRequest, given: dict[str, Any]) -> HttpResponse:
        client, secret = create_client(
            name=given["name"], scopes=given["scopes"], assets=given["assets"] or None,
            actor=of_staff(request.user), reason=given["reason"],  # type: ignore[arg-type]
            active=READ_ONLY.issuperset(given["scopes"]),
        )  # fmt: skip
        if client.active:
            return self._shown_once(request, client, secret)
        propose_here(maker=request.user, action="client.let_in", target_id=client.pk, reason=given["reason"])  # type: ignore[arg-type]
        return self._shown_once(request, client, secret, "It gets tokens once another administrator has approved it.")

    @action(description="New secret", url_path="renew", icon="key", permissions=["change_client"])
    def renew(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(client: Client, given: dict[str, Any]) -> HttpResponse:
            secret = client.new_secret()
            if client.only_reads:
                put_secret(
                    client=client, secret_hash=bytes(client.secret_hash),
                    actor=of_staff(request.user), reason=given["reason"],  # type: ignore[arg-type]
                )  # fmt: skip
                return self._shown_once(request, client, secret)
            propose(
                maker=request.user, action="client.secret", target_id=client.pk, reason=given["reason"],  # type: ignore[arg-type]
                secret_hash=client.secret_hash,
            )  # fmt: skip
            waits = "It takes the place of the one in use once another administrator has approved it."
            return self._shown_once(request, client, secret, waits)

        effect = f"A new secret is shown once, on the next page; the one in use then gets no more tokens. {BY_TWO}"
        return self.act_page(request, object_id, ReasonForm, act, title="New secret", effect=effect, dangerous=True)

    @action(description="Deactivate", url_path="deactivate", icon="block", permissions=["change_client"])
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(client: Client, given: dict[str, Any]) -> str:
            set_active(client=client, active=False, actor=of_staff(request.user), reason=given["reason"])  # type: ignore[arg-type]
            return f"{client.name} is inactive."

        effect = "It gets no more tokens. Those that it has end within the hour."
        return self.act_page(request, object_id, ReasonForm, act, title="Deactivate", effect=effect, dangerous=True)

    @action(description="Activate", url_path="activate", icon="play_circle", permissions=["change_client"])
    def let_in(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(client: Client, given: dict[str, Any]) -> str:
            if client.only_reads:
                set_active(client=client, active=True, actor=of_staff(request.user), reason=given["reason"])  # type: ignore[arg-type]
                return f"{client.name} is active."
            propose(maker=request.user, action="client.let_in", target_id=client.pk, reason=given["reason"])  # type: ignore[arg-type]
            return "Proposed. It gets no token before another administrator approves it."

        effect = f"It gets tokens again. {BY_TWO}"
        return self.act_page(request, object_id, ReasonForm, act, title="Activate", effect=effect, dangerous=True)

    def _shown_once(self, request: HttpRequest, client: Client, secret: str, waits: str = "") -> HttpResponse:
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "title": "The secret, this once",
            "client": client, "secret": secret, "waits": waits,
        }  # fmt: skip
        return TemplateResponse(request, "admin/secret.html", context, headers={"Cache-Control": "no-store"})
