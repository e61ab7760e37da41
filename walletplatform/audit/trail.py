"""Write the audit trail: in the transaction of the act, so that without its entry there is no act."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection

from walletplatform.audit.actors import Actor
from walletplatform.audit.models import AuditEntry
from walletplatform.audit.origin import current_address
from walletplatform.observability.request_id import current_request_id


def record(
    *,
    actor: Actor,
    action: str,
    object_type: str,
    object_id: object,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """
    Add an entry in the transaction open on Django's connection; never with a secret in it.

    :raises RuntimeError: outside a transaction, where the act would be done already
    """
    if not connection.in_atomic_block:
        raise RuntimeError("an audit entry is written in the transaction of its act")
    return AuditEntry.objects.create(
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_name=actor.name,
        action=action,
        object_type=object_type,
        object_id=str(object_id),
        before=before,
        after=after,
        reason=reason,
        request_id=current_request_id(),
        address=current_address()[:45],
    )
