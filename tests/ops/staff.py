"""People in the console, each in a role."""

from __future__ import annotations

from uuid import uuid4

from django.contrib.auth.models import Group
from django.test import Client as Http

from walletplatform.identity.models import User

PASSWORD = "long enough 1"
ROLES = ("viewer", "support", "operator", "approver", "finance", "risk", "auditor", "administrator")


def root() -> User:
    return User.objects.create_superuser(f"root-{uuid4().hex}", password=PASSWORD)


def person(role: str) -> User:
    """Somebody new with one role."""
    user = User.objects.create_user(f"{role}-{uuid4().hex}", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    return user


def console(user: User) -> Http:
    """The console with somebody logged in; what goes wrong there is an answer, not an exception."""
    http = Http(raise_request_exception=False)
    http.force_login(user)
    return http
