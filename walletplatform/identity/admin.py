"""People and client systems in the console. Who changes them is in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import QuerySet
from django.db.transaction import atomic
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from walletplatform.audit.hooks import AuditedAdmin
from walletplatform.identity.lockout import is_locked
from walletplatform.identity.models import Client, User
from walletplatform.identity.scopes import SCOPES
from walletplatform.identity.second_factor import is_enrolled, why_not_new_password
from walletplatform.identity.step_up import code_asked

SHOWN_PEOPLE = 100

# Django's and django-otp's own pages: these would show secrets.
admin.site.unregister([Group, TOTPDevice, StaticDevice])
# What deletes many rows at a click has no place beside money.
admin.site.disable_action("delete_selected")


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    """Names and addresses are edited here; rights are not: two people give them, and one takes them away."""

    audited = ("username", "email", "first_name", "last_name")
    list_display = ("username", "first_name", "last_name", "role_names", "is_active", "last_login")
    list_filter = ("is_active", "groups")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "password", "first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "role_names")}),
        ("Logging in", {"fields": ("has_second_factor", "is_locked_out", "last_login", "date_joined")}),
    )
    readonly_fields = (
        "is_active", "is_staff", "is_superuser", "role_names", "has_second_factor", "is_locked_out", "last_login",
        "date_joined",
    )  # fmt: skip
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = super().get_queryset(request).prefetch_related("groups")
        if request.method == "POST" and connection.in_atomic_block:
            # Forms write all of the row: who was deactivated or logged out meanwhile stays so.
            users = users.select_for_update(of=("self",))
        return users

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        reserved = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not reserved and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False  # the audit trail and approvals name people for ever: they are deactivated

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        user = self.get_object(request, unquote(id))
        if request.method == "POST" and user is not None and self.has_change_permission(request, user):
            if why_not := why_not_new_password(user, request.user):  # type: ignore[arg-type]
                messages.error(request, why_not)
                return HttpResponseRedirect(reverse("admin:identity_user_change", args=[user.pk]))
            detour = code_asked(request, self.admin_site)
            if detour is not None:
                return detour
        # Django saves the password outside a transaction, where no audit entry could go with it.
        with atomic():
            return super().user_change_password(request, id, form_url)

    @admin.display(description="Roles")
    def role_names(self, user: User) -> str:
        return ", ".join(sorted(role.name for role in user.groups.all())) or "none"

    @admin.display(description="Second factor", boolean=True)
    def has_second_factor(self, user: User) -> bool:
        return is_enrolled(user)

    @admin.display(description="Locked after wrong passwords", boolean=True)
    def is_locked_out(self, user: User) -> bool:
        return is_locked(user)


@admin.register(Group)
class GroupAdmin(ModelAdmin):  # type: ignore[misc]
    """Roles, to be read: the platform's migrations make them, so that nobody widens one for all who have it."""

    list_display = ("name", "acts")
    ordering = ("name",)
    fields = ("name", "acts", "sees", "people")
    readonly_fields = ("acts", "sees", "people")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        roles: QuerySet[Group] = super().get_queryset(request).prefetch_related("permissions")
        return roles

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return False

    @admin.display(description="May")
    def acts(self, role: Group) -> SafeString | str:
        return _words(name for name in _can(role) if not name.startswith("view ")) or "look only"

    @admin.display(description="Sees")
    def sees(self, role: Group) -> SafeString | str:
        return _words(name.removeprefix("view ") for name in _can(role) if name.startswith("view "))

    @admin.display(description="People")
    def people(self, role: Group) -> SafeString | str:
        names = User.objects.filter(groups=role, is_active=True).order_by("username")
        return _words(names.values_list("username", flat=True)[:SHOWN_PEOPLE]) or "nobody yet"


@admin.register(Client)
class ClientAdmin(ModelAdmin):  # type: ignore[misc]
    """Client systems. A secret is shown once, when it is made."""

    list_display = ("name", "id", "active", "shown_scopes", "shown_assets", "created_at")
    ordering = ("name",)
    fields = ("name", "id", "active", "shown_scopes", "shown_assets", "created_at")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return False

    @admin.display(description="May")
    def shown_scopes(self, client: Client) -> SafeString | str:
        return _words(f"{SCOPES.get(scope, 'unknown')} ({scope})" for scope in client.scopes)

    @admin.display(description="Assets")
    def shown_assets(self, client: Client) -> str:
        return "all" if client.assets is None else ", ".join(client.assets)


def _can(role: Group) -> list[str]:
    return sorted(permission.name.removeprefix("Can ") for permission in role.permissions.all())


def _words(lines: Iterable[str]) -> SafeString:
    return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))
