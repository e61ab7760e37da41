"""Roles for people: given by two, taken away by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group
from django.db.transaction import atomic

from ops.approvals.models import Approval
from ops.approvals.refusing import Refused
from ops.approvals.results import Payload, Result
from ops.approvals.targets import state_of
from ops.approvals.unchanged import once_unchanged
from walletplatform.api.problems import Problem
from walletplatform.audit.actors import Actor, of_staff
from walletplatform.audit.trail import record
from walletplatform.identity.models import User
from walletplatform.identity.sessions import end_sessions


def why_not_roles(user: User) -> str:
    return "A superuser has every right already." if user.is_superuser else ""


def new_roles(user: User, given: Mapping[str, Any]) -> Payload:
    """What is asked for: that somebody is active, of the staff, and has these roles besides those that they have."""
    roles = sorted(set(given.get("roles") or ()))
    if not roles or len(_groups(roles)) != len(roles):
        raise Refused("invalid", "Name roles that there are.")
    before = state_of(user)
    if before["active"] and before["staff"] and set(roles) <= set(before["roles"]):
        raise Refused("invalid", f"{user.username} has that already.")
    return {"username": user.username, "roles": roles}, None


def tell_roles(approval: Approval) -> str:
    roles = ", ".join(approval.payload["roles"])
    return f"{approval.payload['username']} becomes an active member of staff with the role: {roles}."


def give_roles(approval: Approval) -> Result:
    def give(user: User, maker: Actor) -> None:
        before, groups = state_of(user), _groups(approval.payload["roles"])
        if len(groups) != len(approval.payload["roles"]):
            raise Problem("invalid_state", "One of these roles is no more.")
        user.is_active = user.is_staff = True
        user.save(update_fields=["is_active", "is_staff"])
        user.groups.add(*groups)
        _changed(user, maker, "user.roles", before, approval.reason)

    return once_unchanged(approval, User, give, code="given")


@atomic(durable=True)
def take_roles(*, actor: User, user: User, roles: Sequence[str], reason: str) -> None:
    """Take roles away from somebody, at once."""
    user = User.objects.select_for_update().get(pk=user.pk)
    before = state_of(user)
    user.groups.remove(*_groups(roles))
    _changed(user, of_staff(actor), "user.take_roles", before, reason)


@atomic(durable=True)
def deactivate(*, actor: User, user: User, reason: str) -> None:
    """
    Let somebody in no more, at once.

    :raises Refused: ``invalid`` for oneself
    """
    if actor.pk == user.pk:
        raise Refused("invalid", "Nobody deactivates themselves.")
    user = User.objects.select_for_update().get(pk=user.pk)
    before = state_of(user)
    user.is_active = False
    user.save(update_fields=["is_active"])
    _changed(user, of_staff(actor), "user.deactivate", before, reason)


def _changed(user: User, actor: Actor, action: str, before: dict[str, Any], reason: str) -> None:
    end_sessions(user)
    record(
        actor=actor, action=action, object_type="user", object_id=user.pk,
        before=before, after=state_of(user), reason=reason,
    )  # fmt: skip


def _groups(roles: Sequence[str]) -> list[Group]:
    return list(Group.objects.filter(name__in=roles))
