"""People in the console, each in a role and with a second factor."""

from __future__ import annotations

import time
from uuid import uuid4

from django.contrib.auth.models import Group
from django.test import Client as Http
from django_otp.plugins.otp_totp.models import TOTPDevice

from walletplatform.audit.actors import of_command
from walletplatform.identity.management.commands.staff_code import next_code
from walletplatform.identity.models import User
from walletplatform.identity.second_factor import provide

PASSWORD = "long enough 1"
ROLES = ("viewer", "support", "operator", "approver", "finance", "risk", "auditor", "administrator")


def root() -> User:
    return User.objects.create_superuser(f"root-{uuid4().hex}", password=PASSWORD)


def person(role: str) -> User:
    """Somebody new with one role."""
    user = User.objects.create_user(f"{role}-{uuid4().hex}", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def console(user: User, *, verified_ago: float = 0, **more: bool) -> Http:
    """
    The console with somebody logged in; what goes wrong there is an answer, not an exception.

    ``verified_ago`` is how many seconds ago they showed their second factor.
    """
    http = Http(raise_request_exception=False, **more)
    http.force_login(user)
    mark(http, verified_at=time.time() - verified_ago)
    return http


def mark(http: Http, **values: float) -> None:
    """Write into the session of somebody who is logged in."""
    session = http.session
    session.update(values)
    session.save()


def code_of(user: User) -> str:
    """The code that their authenticator shows now; they get one where they have none."""
    device = TOTPDevice.objects.filter(user=user).first() or provide(user=user, actor=of_command())
    return f"{next_code(device):06d}"
