"""Who is named in the audit trail."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from uuid import UUID

from walletplatform.audit.models import AuditEntry
from walletplatform.identity.models import Client, User
from walletplatform.identity.principal import Principal


@dataclass(frozen=True, slots=True)
class Actor:
    """``kind`` is of ``AuditEntry.Kind``; ``id`` is a client's or user's; commands and jobs have a name only."""

    kind: str
    id: UUID | None
    name: str


def of_principal(principal: Principal) -> Actor:
    """Return the bearer of a token, or whoever acts as one, with the name it has by now ("" where it has none)."""
    if not principal.id.int:  # nobody asked: the platform did it by itself
        return of_job("platform")
    if principal.kind == "client":
        name = Client.objects.filter(pk=principal.id).values_list("name", flat=True).first()
    else:
        name = User.objects.filter(pk=principal.id).values_list("username", flat=True).first()
    return Actor(principal.kind, principal.id, name or "")


def of_staff(user: User) -> Actor:
    return Actor(AuditEntry.Kind.STAFF, user.pk, user.username)


def of_job(name: str) -> Actor:
    """Return what beat wakes, by name."""
    return Actor(AuditEntry.Kind.COMMAND, None, name)


def of_command() -> Actor:
    """Return whoever runs this command, by the name that the machine knows."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a container's process may have a number only
        name = ""
    return Actor(AuditEntry.Kind.COMMAND, None, name)
