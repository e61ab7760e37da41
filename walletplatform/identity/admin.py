"""People and client systems in the console."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from walletplatform.identity.models import Client, User

admin.site.unregister(Group)
# What deletes many rows at a click has no place beside money.
admin.site.disable_action("delete_selected")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc,type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    pass


@admin.register(Client)
class ClientAdmin(ModelAdmin):  # type: ignore[misc]
    """Clients are made by ``manage.py create_client``, which shows the secret once."""

    list_display = ("name", "id", "active", "scopes", "assets", "created_at")
    fields = ("name", "id", "active", "scopes", "assets", "created_at")
    readonly_fields = ("name", "id", "scopes", "assets", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Client | None = None) -> bool:
        return False
