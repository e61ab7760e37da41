"""Do something once for its key: the answer is kept in the transaction of what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, OperationalError
from django.db.transaction import atomic
from psycopg import errors

from ledger import clock
from ledger.idempotency import KEY_CONSTRAINT, KeyedRequest, keep_outcome, stored_outcome
from walletplatform.api.problems import Problem


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered: status and body, about which resource, and whether it is an earlier one's."""

    status: int
    body: bytes
    resource_id: UUID | None = None
    kept: tuple[int, bytes] | None = None
    replayed: bool = False


def once(request: KeyedRequest | None, act: Callable[[], Answer]) -> Answer:
    """
    Call ``act`` in a transaction of its own and return its answer; with a key, once for that key.

    ``Answer.kept`` is what a repeated request gets, where that is not the same.

    :raises Problem: ``idempotency_key_reused``, ``idempotency_in_progress``, and what ``act`` raises
    """
    try:
        return _once(request, act)
    except IntegrityError as error:
        # The rival with the same key has committed in between: this time its answer is found.
        if _constraint(error) != KEY_CONSTRAINT:
            raise
        return _once(request, act)
    except OperationalError as error:
        if request is not None and isinstance(error.__cause__, errors.LockNotAvailable):
            raise Problem("idempotency_in_progress", "A request with this key is being executed.") from error
        raise


def once_under_lock(request: KeyedRequest, act: Callable[[], Answer]) -> Answer:
    """
    The same for an act that waits for a lock, and may be refused then for what another with its key did meanwhile.

    :raises Problem: as ``once``
    """
    try:
        return once(request, act)
    except Problem:
        stored = stored_outcome(request)
        if stored is None:
            raise
        return Answer(stored.status, stored.body, replayed=True)


@atomic(durable=True)
def _once(request: KeyedRequest | None, act: Callable[[], Answer]) -> Answer:
    stored = stored_outcome(request) if request else None
    if request and stored:
        return Answer(stored.status, stored.body, replayed=True)
    answer = act()
    if request and answer.resource_id:
        status, body = answer.kept or (answer.status, answer.body)
        keep_outcome(request, status=status, body=body, resource_id=answer.resource_id, now=clock.now())
    return answer


def _constraint(error: IntegrityError) -> str | None:
    cause = error.__cause__
    return cause.diag.constraint_name if isinstance(cause, errors.UniqueViolation) else None
