"""The roles of staff: exactly these rights, and people made in them by a command."""

from __future__ import annotations

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.test import Client as Http
from django.urls import reverse

from tests.ops.staff import ROLES, console, person, root
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import User

SEE = {
    "ledger.view_asset", "ledger.view_account", "ledger.view_transaction", "ledger.view_entry", "wallets.view_wallet",
    "payments.view_payment", "events.view_event", "events.view_cursor", "events.view_parkedevent",
    "events.view_webhookendpoint", "events.view_webhookdelivery", "ops.view_reconciliationrun", "ops.view_finding",
}  # fmt: skip
CONTROL = {"ops.view_approval", "audit.view_auditentry"}
PEOPLE = {"identity.view_user", "identity.view_client", "auth.view_group"}
MATRIX = {
    "viewer": SEE,
    "support": SEE | {"ops.propose_approval"},
    "operator": SEE | {"ops.propose_approval", "ops.suspend_wallet"},
    "approver": SEE | CONTROL | {"ops.decide_approval", "ops.suspend_wallet"},
    "finance": SEE | CONTROL | {"ops.propose_approval", "ops.decide_approval", "ops.suspend_wallet"},
    "risk": SEE | CONTROL | {"ops.propose_approval", "ops.suspend_wallet"},
    "auditor": SEE | CONTROL | PEOPLE,
    "administrator": SEE | CONTROL | PEOPLE | {
        "ops.suspend_wallet", "identity.add_user", "identity.change_user", "identity.change_client",
    },
}  # fmt: skip


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_exactly_the_rights_of_the_matrix(role):
    assert person(role).get_all_permissions() == MATRIX[role]


def test_no_right_is_there_twice_under_two_names():
    wanted = {code for codes in MATRIX.values() for code in codes}
    for code in wanted:
        label, codename = code.split(".")
        [permission] = Permission.objects.filter(content_type__app_label=label, codename=codename)
        assert permission.name.startswith("Can ")


def test_the_command_makes_somebody_who_can_log_in_in_that_role():
    out, name = StringIO(), f"ann-{uuid4().hex}"
    call_command("create_staff", name, "--role=approver", "--json", stdout=out)
    made = json.loads(out.getvalue())
    assert User.objects.get(pk=made["id"]).get_all_permissions() == MATRIX["approver"]
    assert Http().login(username=name, password=made["password"])
    told = AuditEntry.objects.get(object_id=made["id"])
    assert (told.action, told.after["groups"]) == ("user.create", ["approver"])
    assert made["password"] not in json.dumps(told.after)


def test_the_command_refuses_unknown_roles_taken_and_malformed_names():
    taken = person("viewer").username
    for name, role in [(f"x-{uuid4().hex}", "king"), (taken, "viewer"), ("no spaces please", "viewer")]:
        with pytest.raises(CommandError):
            call_command("create_staff", name, f"--role={role}", stdout=StringIO())
    assert not User.objects.filter(username="no spaces please").exists()


def form(user, **more):
    return {
        "username": user.username, "email": "", "is_active": "on", "is_staff": "on", "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00", **more,
    }  # fmt: skip


def test_an_administrator_makes_nobody_a_superuser_and_gives_nothing_to_themselves():
    administrator, other = person("administrator"), person("viewer")
    http, group = console(administrator), person("finance").groups.get().pk
    decide = Permission.objects.get(codename="decide_approval").pk
    for user in (administrator, other):
        page = reverse("admin:identity_user_change", args=[user.pk])
        http.post(page, form(user, is_superuser="on", groups=[group], user_permissions=[decide]))
        user.refresh_from_db()
        assert (user.is_superuser, user.user_permissions.count()) == (False, 0)
    assert [one.name for one in User.objects.get(pk=administrator.pk).groups.all()] == ["administrator"]
    assert [one.name for one in User.objects.get(pk=other.pk).groups.all()] == ["finance"]


@pytest.mark.parametrize("page", ["admin:identity_user_change", "admin:auth_user_password_change"])
def test_an_administrator_does_not_touch_a_superuser(page):
    above = root()
    stolen = {"password1": "stolen 123456", "password2": "stolen 123456", "usable_password": "true"}
    answer = console(person("administrator")).post(reverse(page, args=[above.pk]), form(above, **stolen))
    assert answer.status_code == 403
    assert User.objects.get(pk=above.pk).password == above.password


@pytest.mark.parametrize("role", [role for role in ROLES if role != "administrator"])
def test_nobody_else_changes_people_groups_or_clients(role):
    user = person("viewer")
    http = console(person(role))
    for name, arguments in [("identity_user_add", []), ("identity_user_change", [user.pk]), ("auth_group_add", []),
                            ("auth_group_change", [user.groups.get().pk])]:  # fmt: skip
        assert http.post(reverse(f"admin:{name}", args=arguments), form(user)).status_code == 403
