"""The roles of staff: exactly these rights, and people made in them by a command."""

from __future__ import annotations

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.urls import reverse

from tests.ops.staff import ROLES, console, person, root
from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import User

EVERYBODY = frozenset(ROLES)
# Who has which right: seeing, operating, deciding, people.
HOLDERS = {
    **dict.fromkeys(
        (
            "ledger.view_asset",
            "ledger.view_account",
            "ledger.view_transaction",
            "ledger.view_entry",
            "wallets.view_wallet",
            "payments.view_payment",
            "events.view_event",
            "events.view_cursor",
            "events.view_parkedevent",
            "events.view_webhookendpoint",
            "events.view_webhookdelivery",
            "ops.view_reconciliationrun",
            "ops.view_finding",
            "ops.view_statement",
            "ops.view_statementline",
            "ops.view_statementmatch",
            "ops.view_statementsource",
            "ops.view_statementexception",
            "ops.view_summary",
            "ops.view_alert",
            "ops.view_alertconfiguration",
            "ops.view_job",
            "django_celery_beat.view_periodictask",
        ),
        EVERYBODY,
    ),
    "ops.propose_approval": {"support", "operator", "finance", "risk"},
    "ops.propose_adjustment": {"finance"},
    "ops.decide_approval": {"approver", "finance"},
    "ops.suspend_wallet": {"operator", "approver", "finance", "risk", "administrator"},
    "ops.operate_wallet": {"operator", "finance"},
    "ops.operate_payment": {"operator", "finance"},
    "ops.handle_alert": {"operator", "approver", "finance", "risk", "administrator"},
    "ops.configure_alert": {"finance", "risk", "administrator"},
    "ops.run_reconciliation": {"operator", "approver", "finance", "risk", "administrator"},
    "ops.handle_finding": {"operator", "approver", "finance", "risk"},
    "ops.import_statement": {"operator", "finance"},
    "ops.make_summary": {"operator", "approver", "finance", "risk"},
    "ops.retry_job": {"operator", "approver", "finance", "administrator"},
    "ops.export_list": {"operator", "approver", "finance", "risk", "auditor"},
    "ops.view_approval": {"approver", "finance", "risk", "auditor", "administrator"},
    "audit.view_auditentry": {"approver", "finance", "risk", "auditor", "administrator"},
    "identity.view_user": {"auditor", "administrator"},
    "identity.view_client": {"auditor", "administrator"},
    "auth.view_group": {"auditor", "administrator"},
    "ops.grant_role": {"administrator"},
    "identity.add_user": {"administrator"},
    "identity.change_user": {"administrator"},
    "identity.add_client": {"administrator"},
    "identity.change_client": {"administrator"},
    "django_celery_beat.change_periodictask": {"administrator"},
}
MATRIX = {role: {code for code, holders in HOLDERS.items() if role in holders} for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
def test_a_role_has_exactly_the_rights_of_the_matrix(role):
    assert person(role).get_all_permissions() == MATRIX[role]


def test_no_right_is_there_twice_under_two_names():
    for code in HOLDERS:
        label, codename = code.split(".")
        [permission] = Permission.objects.filter(content_type__app_label=label, codename=codename)
        assert permission.name.startswith("Can ")


def test_the_command_makes_somebody_who_can_log_in_in_that_role():
    out, name = StringIO(), f"ann-{uuid4().hex}"
    call_command("create_staff", name, "--role=approver", "--json", stdout=out)
    made = json.loads(out.getvalue())
    assert User.objects.get(pk=made["id"]).get_all_permissions() == MATRIX["approver"]
    assert User.objects.get(pk=made["id"]).check_password(made["password"])
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
    assert [one.name for one in User.objects.get(pk=other.pk).groups.all()] == ["viewer"]


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
