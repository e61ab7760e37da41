"""Make client systems, stop them, and give them new secrets; each with its audit entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.transaction import atomic

from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record
from walletplatform.identity.models import Client


def create_client(
    *,
    name: str,
    scopes: Sequence[str],
    assets: Sequence[str] | None,
    actor: Actor,
    reason: str = "",
    active: bool = True,
) -> tuple[Client, str]:
    """
    Return a new client and its secret, of which only the hash is kept. ``assets`` None means all.

    One that is not ``active`` gets no token yet.

    :raises ValidationError: where the name is taken or malformed
    """
    client = Client(
        name=name, scopes=list(scopes), assets=None if assets is None else list(assets), active=active
    )  # fmt: skip
    secret = client.new_secret()
    client.clean_fields(exclude={"assets"} if assets is None else None)
    try:
        with atomic():
            client.save()
            _told(client, actor, "create", None, reason)
    except IntegrityError as error:
        raise ValidationError(f"There is a client {name} already. Choose another name.") from error
    return client, secret


@atomic
def put_secret(*, client: Client, secret_hash: bytes, actor: Actor, reason: str) -> None:
    """Take a new secret, by its hash; the former one is good for nothing from now on."""
    client = Client.objects.select_for_update().get(pk=client.pk)
    client.secret_hash = secret_hash
    client.save(update_fields=["secret_hash"])
    _told(client, actor, "renew_secret", _described(client), reason)


@atomic
def set_active(*, client: Client, active: bool, actor: Actor, reason: str) -> None:
    """Let a client have tokens, or no more; those that it has end within the hour."""
    client = Client.objects.select_for_update().get(pk=client.pk)
    before = _described(client)
    client.active = active
    client.save(update_fields=["active"])
    _told(client, actor, "activate" if active else "deactivate", before, reason)


def _described(client: Client) -> dict[str, Any]:
    return {"name": client.name, "active": client.active, "scopes": client.scopes, "assets": client.assets}


def _told(client: Client, actor: Actor, act: str, before: dict[str, Any] | None, reason: str) -> None:
    record(
        actor=actor, action=f"client.{act}", object_type="client", object_id=client.pk,
        before=before, after=_described(client), reason=reason,
    )  # fmt: skip
