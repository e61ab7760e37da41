"""Client systems that do more than read: let in by two people, and given a new secret by two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.approvals.models import Approval
from ops.approvals.results import Payload, Result
from ops.approvals.unchanged import once_unchanged
from walletplatform.audit.actors import Actor
from walletplatform.identity.clients import put_secret, set_active
from walletplatform.identity.models import Client
from walletplatform.identity.scopes import SCOPES


def why_not_let_in(client: Client) -> str:
    return f"{client.name} is active already." if client.active else ""


def new_let_in(client: Client, given: Mapping[str, Any]) -> Payload:
    return {"client": client.name, "active": True}, None


def tell_let_in(approval: Approval) -> str:
    assets = approval.expected["assets"]
    where = "all assets" if assets is None else ", ".join(assets)
    may = _may(approval.expected["scopes"])
    return f"{approval.payload['client']} gets tokens, by which it may, in {where}: {may}."


def let_in(approval: Approval) -> Result:
    def act(client: Client, maker: Actor) -> None:
        set_active(client=client, active=True, actor=maker, reason=approval.reason)

    return once_unchanged(approval, Client, act, code="active")


def new_secret(client: Client, given: Mapping[str, Any]) -> Payload:
    """What is asked for: a secret that its maker knows, and everybody else the hash of (bytes)."""
    return {"client": client.name, "secret_hash": given["secret_hash"].hex()}, None


def tell_secret(approval: Approval) -> str:
    return (
        f"The secret that {approval.maker_name} was shown becomes that of {approval.payload['client']}, which may: "
        f"{_may(approval.expected['scopes'])}. The one in use gets no more tokens."
    )


def renew(approval: Approval) -> Result:
    def act(client: Client, maker: Actor) -> None:
        secret_hash = bytes.fromhex(approval.payload["secret_hash"])
        put_secret(client=client, secret_hash=secret_hash, actor=maker, reason=approval.reason)

    return once_unchanged(approval, Client, act, code="renewed")


def _may(scopes: list[str]) -> str:
    return ", ".join(SCOPES.get(scope, scope) for scope in scopes)
