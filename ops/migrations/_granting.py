"""Rights for the roles of 0004, given by the migration of what they are about."""

from importlib import import_module

_permission = import_module("ops.migrations.0004_roles").permission


def give(rights, *, titles=None):
    """
    Return a function for ``RunPython``: ``rights`` are permissions (``ops.view_alert``) by role.

    ``titles`` are the permissions that the models themselves name (``ops.handle_alert``), with their words and model:
    ``{"ops.handle_alert": ("alert", "Can handle an alert")}``.
    """

    def forward(apps, schema_editor):
        alias = schema_editor.connection.alias
        groups = apps.get_model("auth", "Group").objects.using(alias)
        for role, codes in rights.items():
            group, _ = groups.get_or_create(name=role)
            group.permissions.add(*[_find(apps, alias, code, titles or {}) for code in codes])

    return forward


def take(rights):
    """Return the reverse of ``give``: the roles lose these rights."""

    def backward(apps, schema_editor):
        alias = schema_editor.connection.alias
        for role, codes in rights.items():
            group = apps.get_model("auth", "Group").objects.using(alias).filter(name=role).first()
            if group is None:
                continue
            for code in codes:
                label, codename = code.split(".")
                group.permissions.remove(*group.permissions.filter(content_type__app_label=label, codename=codename))

    return backward


def _find(apps, alias, code, titles):
    if code not in titles:
        return _permission(apps, alias, code)
    label, codename = code.split(".")
    model, title = titles[code]
    kinds = apps.get_model("contenttypes", "ContentType").objects.using(alias)
    kind, _ = kinds.get_or_create(app_label=label, model=model)
    permissions = apps.get_model("auth", "Permission").objects.using(alias)
    found, _ = permissions.get_or_create(content_type=kind, codename=codename, defaults={"name": title})
    return found
