"""
The roles of staff, as groups with permissions.

Who asks for what moves money is not who keeps the people: an administrator has no say about approvals, and an auditor
sees all and does nothing.
"""

from django.db import migrations

SEE = [
    "ledger.view_asset", "ledger.view_account", "ledger.view_transaction", "ledger.view_entry", "wallets.view_wallet",
    "payments.view_payment", "events.view_event", "events.view_cursor", "events.view_parkedevent",
    "events.view_webhookendpoint", "events.view_webhookdelivery", "ops.view_reconciliationrun", "ops.view_finding",
]
CONTROL = ["ops.view_approval", "audit.view_auditentry"]
PROPOSE, DECIDE, SUSPEND = ["ops.propose_approval"], ["ops.decide_approval"], ["ops.suspend_wallet"]
PEOPLE = ["identity.view_user", "identity.view_client", "auth.view_group"]
ROLES = {
    "viewer": SEE,
    "support": SEE + PROPOSE,
    "operator": SEE + PROPOSE + SUSPEND,
    "approver": SEE + CONTROL + DECIDE + SUSPEND,
    "finance": SEE + CONTROL + PROPOSE + DECIDE + SUSPEND,
    "risk": SEE + CONTROL + PROPOSE + SUSPEND,
    "auditor": SEE + CONTROL + PEOPLE,
    "administrator": SEE + CONTROL + SUSPEND + PEOPLE + [
        "identity.add_user", "identity.change_user", "identity.change_client",
    ],
}


def make_roles(apps, schema_editor):
    alias = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(alias)
    for name, codes in ROLES.items():
        role, _ = group.get_or_create(name=name)
        role.permissions.add(*[permission(apps, alias, code) for code in codes])


def permission(apps, alias, code):
    """Django makes permissions after all migrations only, and finds then what is made here."""
    label, codename = code.split(".")
    own = dict(apps.get_model("ops", "Approval")._meta.permissions)
    verb, model = (None, "approval") if codename in own and label == "ops" else codename.split("_", 1)
    title = own[codename] if verb is None else f"Can {verb} {apps.get_model(label, model)._meta.verbose_name}"
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.using(alias).get_or_create(
        app_label=label, model=model
    )
    found, _ = apps.get_model("auth", "Permission").objects.using(alias).get_or_create(
        content_type=kind, codename=codename, defaults={"name": title}
    )
    return found


def remove_roles(apps, schema_editor):
    group = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    group.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):

    dependencies = [
        ("ops", "0003_approvals"),
        ("audit", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("events", "0005_rebuilding"),
        ("identity", "0001_initial"),
        ("ledger", "0003_backdated"),
        ("payments", "0007_validate"),
        ("wallets", "0002_rules"),
    ]

    operations = [migrations.RunPython(make_roles, remove_roles)]
