"""
One key, one effect, for ever: the outcomes of requests, kept with their effects.

The row of a key is written in the database transaction of what the request did, so there is no key
without its effect and no effect without its key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ledger.models import IdempotencyKey
from walletplatform.api.problems import Problem

# What stands for a key among the advisory locks.
CLAIM = "hashtextextended(principal_id || key, 0)"

# Held from before the accounts until the end of the transaction, so that a copy of a request in progress
# is known as one, and not taken for a rival for its wallets.
CLAIM_KEYS = f"""
    SELECT count(pg_advisory_xact_lock(claim))
      FROM (SELECT {CLAIM} AS claim
              FROM unnest(%s::text[], %s::uuid[]) AS wanted (key, principal_id)
             ORDER BY claim) AS ordered
"""

READ_KEYS = """
    SELECT k.principal_id, k.key, k.fingerprint, k.status, k.body
      FROM unnest(%s::text[], %s::uuid[]) AS wanted (key, principal_id)
      JOIN idempotency_keys AS k ON k.key = wanted.key AND k.principal_id = wanted.principal_id
"""

# In one order everywhere, so that batches with the same keys wait in line and not in a ring.
INSERT_KEYS = """
    INSERT INTO idempotency_keys
           (principal_id, key, fingerprint, status, body, resource_id, created_at)
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bytea[], %s::smallint[], %s::bytea[], %s::uuid[],
                         %s::timestamptz[]) AS n (principal_id, key)
     ORDER BY n.principal_id, n.key
"""

KEY_CONSTRAINT = "idempotency_keys_pkey"


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """The answer that a key got: status and the very bytes of the body."""

    fingerprint: bytes
    status: int
    body: bytes


KeysInUse = dict[tuple[UUID, str], StoredOutcome]


@dataclass(frozen=True, slots=True)
class KeyedRequest:
    """A request under a key: keys belong to their principal, and a key means one request only."""

    principal_id: UUID
    key: str
    fingerprint: bytes


def stored_outcome(request: KeyedRequest) -> StoredOutcome | None:
    """
    Return what the key's request was answered, or None where the key is free.

    :raises Problem: ``idempotency_key_reused`` where the key stands for another request
    """
    row = (
        IdempotencyKey.objects.filter(key=request.key, principal_id=request.principal_id)
        .values_list("fingerprint", "status", "body")
        .first()
    )
    if row is None:
        return None
    stored = StoredOutcome(bytes(row[0]), row[1], bytes(row[2]))
    if stored.fingerprint != request.fingerprint:
        raise Problem("idempotency_key_reused", "This key was used for another request.")
    return stored


def keep_outcome(request: KeyedRequest, *, status: int, body: bytes, resource_id: UUID, now: datetime) -> None:
    """Store an outcome within the caller's transaction; waits for a rival that holds the key."""
    IdempotencyKey.objects.create(
        key=request.key,
        principal_id=request.principal_id,
        fingerprint=request.fingerprint,
        status=status,
        body=body,
        resource_id=resource_id,
        created_at=now,
    )
