"""Create a member of staff and show the password, once."""

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db.transaction import atomic

from walletplatform.audit.actors import of_command
from walletplatform.audit.trail import record
from walletplatform.identity.models import User
from walletplatform.identity.second_factor import provide, readable


class Command(BaseCommand):
    help = "Create somebody who may use the console in a role, and show the password. It is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a unique name to log in with, for example ann")
        role = parser.add_mutually_exclusive_group(required=True)
        role.add_argument("--role", help="a group: viewer, support, operator, approver, finance, ...")
        role.add_argument("--superuser", action="store_true", help="everything but a second person's part: to set up")
        parser.add_argument(
            "--with-device", action="store_true",
            help="give them a second factor too and show its secret, for demos; else their first login sets it up",
        )  # fmt: skip
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        name, groups = options["name"], _groups(options["role"])
        if User.objects.filter(username=name).exists():
            raise CommandError(f"There is a user {name} already. Choose another name.")
        user, password = User(username=name, is_staff=True, is_superuser=not groups), secrets.token_urlsafe(18)
        user.set_password(password)
        try:
            user.clean_fields()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        roles = [role.name for role in groups]
        with atomic():
            user.save()
            user.groups.set(groups)
            record(
                actor=of_command(),
                action="user.create",
                object_type="user",
                object_id=user.pk,
                after={"username": name, "is_staff": True, "is_superuser": user.is_superuser, "groups": roles},
            )
            device = provide(user=user, actor=of_command()) if options["with_device"] else None
        made = {"id": str(user.pk), "username": name, "password": password, "role": roles[0] if roles else "superuser"}
        if device is not None:
            made |= {"secret": readable(device.key), "otpauth": device.config_url}
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        self.stdout.write(f"name      {name}")
        self.stdout.write(f"password  {password}   (shown this once)")
        self.stdout.write(f"role      {made['role']}")
        if device is None:
            self.stdout.write("The first login asks to set up an authenticator (any TOTP app) as the second factor.")
        else:
            self.stdout.write(f"secret    {made['secret']}   (for an authenticator; shown this once)")
            self.stdout.write(f"otpauth   {made['otpauth']}")


def _groups(role: str | None) -> list[Group]:
    """The one group of a role, none for a superuser."""
    if role is None:
        return []
    found = list(Group.objects.filter(name=role))
    if not found:
        known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f"No such role: {role}. Known: {known}.")
    return found
