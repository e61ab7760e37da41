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


class Command(BaseCommand):
    help = "Create somebody who may use the console in a role, and show the password. It is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a unique name to log in with, for example ann")
        parser.add_argument("--role", required=True, help="a group: viewer, support, operator, approver, finance, ...")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        name, role = options["name"], Group.objects.filter(name=options["role"]).first()
        if role is None:
            known = ", ".join(Group.objects.order_by("name").values_list("name", flat=True))
            raise CommandError(f"No such role: {options['role']}. Known: {known}.")
        if User.objects.filter(username=name).exists():
            raise CommandError(f"There is a user {name} already. Choose another name.")
        user, password = User(username=name, is_staff=True), secrets.token_urlsafe(18)
        user.set_password(password)
        try:
            user.clean_fields()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        with atomic():
            user.save()
            user.groups.add(role)
            record(
                actor=of_command(),
                action="user.create",
                object_type="user",
                object_id=user.pk,
                after={"username": name, "is_staff": True, "groups": [role.name]},
            )
        if options["json"]:
            self.stdout.write(json.dumps({"id": str(user.pk), "username": name, "password": password}))
            return
        self.stdout.write(f"name      {name}")
        self.stdout.write(f"password  {password}   (shown this once)")
        self.stdout.write(f"role      {role.name}")
