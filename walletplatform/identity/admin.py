"""People and client systems in the console. Who changes them is in the audit trail."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from walletplatform.audit.hooks import AuditedAdmin
from walletplatform.identity.models import Client, User

admin.site.unregister(Group)
# What deletes many rows at a click has no place beside money.
admin.site.disable_action("delete_selected")


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    """Nobody gives rights to themselves; what a superuser has, only superusers give and touch."""

    audited = (
        "username", "email", "is_active", "is_staff", "is_superuser", "groups", "user_permissions",
    )  # fmt: skip
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        fields = tuple(super().get_readonly_fields(request, obj))
        if not request.user.is_superuser:
            fields += ("is_superuser", "user_permissions")
            if obj is not None and obj.pk == request.user.pk:
                fields += ("is_staff", "is_active", "groups")
        return fields

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        reserved = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not reserved and super().has_change_permission(request, obj)

    @atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        # Django saves the password outside a transaction, where no audit entry could go with it.
        return super().user_change_password(request, id, form_url)


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    audited = ("name", "permissions")


@admin.register(Client)
class ClientAdmin(AuditedAdmin, ModelAdmin):  # type: ignore[misc]
    """Clients are made by ``manage.py create_client``, which shows the secret once."""

    audited = ("name", "active", "scopes", "assets")
    list_display = ("name", "id", "active", "scopes", "assets", "created_at")
    fields = ("name", "id", "active", "scopes", "assets", "created_at")
    readonly_fields = ("name", "id", "scopes", "assets", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return False
