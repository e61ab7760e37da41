"""What is done about people: rights given by two and taken by one."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from ops.act_pages import ActingAdmin, ReasonForm
from ops.approvals.proposing import propose
from ops.approvals.refusing import Refused
from ops.approvals.roles import deactivate, take_roles
from ops.approvals.targets import state_of
from walletplatform.audit.actors import of_staff
from walletplatform.identity import second_factor
from walletplatform.identity.admin import UserAdmin
from walletplatform.identity.lockout import is_locked, unlock
from walletplatform.identity.models import User

# Their own page knows nothing of approvals, which stand above them.
admin.site.unregister(User)


def _roles() -> list[tuple[str, str]]:
    return [(name, name) for name in Group.objects.order_by("name").values_list("name", flat=True)]


class RolesForm(ReasonForm):
    roles = forms.MultipleChoiceField(choices=_roles, widget=UnfoldAdminCheckboxSelectMultipleWidget)
    field_order = ("roles", "reason")


@admin.register(User)
class OperatedUserAdmin(ActingAdmin, UserAdmin):
    summary = ("role_names",)
    actions_detail = ("propose_roles", "take_roles", "deactivate", "reset_second_factor", "unlock")
    offered = {
        "propose_roles": lambda user: not user.is_superuser,
        "take_roles": lambda user: user.groups.exists(),
        "deactivate": lambda user: user.is_active,
        "reset_second_factor": second_factor.is_enrolled,
        "unlock": is_locked,
    }

    def has_grant_role_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("ops.grant_role")

    @action(description="Propose roles", url_path="propose-roles", icon="group_add", permissions=["grant_role"])
    def propose_roles(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(user: User, given: dict[str, Any]) -> str:
            propose(
                maker=request.user, action="user.roles", target_id=user.pk, reason=given["reason"],  # type: ignore[arg-type]
                roles=given["roles"],
            )  # fmt: skip
            return "Proposed. Nothing happens before another administrator approves it."

        effect = (
            "They become an active member of staff with these roles besides those that they have. Nothing happens "
            "before another administrator approves it."
        )
        return self.act_page(
            request, object_id, RolesForm, act, title="Propose roles", effect=effect, dangerous=True
        )  # fmt: skip

    @action(description="Take roles away", url_path="take-roles", icon="group_remove", permissions=["grant_role"])
    def take_roles(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(user: User, given: dict[str, Any]) -> str:
            self._may_touch(request, user)
            take_roles(actor=request.user, user=user, roles=given["roles"], reason=given["reason"])  # type: ignore[arg-type]
            return f"{user.username} has these roles no more."

        effect = "They lose these roles at once, and have to log in again."
        return self.act_page(
            request, object_id, RolesForm, act, title="Take roles away", effect=effect, dangerous=True,
            initial=lambda user: {"roles": state_of(user)["roles"]},
        )  # fmt: skip

    @action(description="Deactivate", url_path="deactivate", icon="person_off", permissions=["grant_role"])
    def deactivate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(user: User, given: dict[str, Any]) -> str:
            self._may_touch(request, user)
            deactivate(actor=request.user, user=user, reason=given["reason"])  # type: ignore[arg-type]
            return f"{user.username} is let in no more."

        effect = "At once they are logged out everywhere and let in no more. To let them in again takes two people."
        return self.act_page(request, object_id, ReasonForm, act, title="Deactivate", effect=effect, dangerous=True)

    @action(
        description="Reset second factor", url_path="reset-second-factor", icon="phonelink_erase",
        permissions=["grant_role"],
    )  # fmt: skip
    def reset_second_factor(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(user: User, given: dict[str, Any]) -> str:
            self._may_touch(request, user)
            if why_not := second_factor.why_not_reset(user, request.user):  # type: ignore[arg-type]
                raise Refused("forbidden", why_not)
            second_factor.reset(user=user, actor=of_staff(request.user), reason=given["reason"])  # type: ignore[arg-type]
            return f"{user.username} sets up a new second factor at the next login."

        effect = (
            "Their authenticator and recovery codes are good for nothing from now on, and they are logged out "
            "everywhere. Be sure that it is they who ask: whoever logs in next with their password sets up a new one."
        )
        return self.act_page(
            request, object_id, ReasonForm, act, title="Reset second factor", effect=effect, dangerous=True
        )  # fmt: skip

    @action(description="Unlock", url_path="unlock", icon="lock_reset", permissions=["grant_role"])
    def unlock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def act(user: User, given: dict[str, Any]) -> str:
            unlock(user=user, actor=of_staff(request.user), reason=given["reason"])  # type: ignore[arg-type]
            return f"{user.username} may try again."

        effect = "They may try their password again at once, from every address."
        return self.act_page(request, object_id, ReasonForm, act, title="Unlock", effect=effect)

    def _may_touch(self, request: HttpRequest, user: User) -> None:
        if user.pk == request.user.pk:
            raise Refused("invalid", "Not about yourself: somebody else does this.")
        if user.is_superuser and not request.user.is_superuser:
            raise Refused("forbidden", "A superuser's rights are a superuser's to touch.")
