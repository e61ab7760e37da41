"""What a member of staff does about a payment at once: the API's own commands, signed for the audit trail."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson

from ledger.idempotency import KeyedRequest, stored_outcome
from payments.commands import Act, Signature
from payments.engine import execute
from payments.state import Outcome
from walletplatform.api.idempotency import fingerprint
from walletplatform.api.problems import Problem
from walletplatform.audit.origin import current_address
from walletplatform.identity.models import User
from walletplatform.identity.principal import staff
from walletplatform.observability.metrics import count_payment
from walletplatform.observability.request_id import current_request_id, current_traceparent


def command_of(
    kind: type[Act], *, user: User, payment_id: UUID, key: str, reason: str, amount: Decimal | None = None, **more: Any
) -> Act:
    """Return the command of an act by staff; ``key`` is what makes a second click the same as the first."""
    asked = {"payment": str(payment_id), "amount": None if amount is None else str(amount), "reason": reason, **more}
    return kind(
        principal=staff(user.pk),
        signature=Signature(user.username, current_address()),
        key=f"console:{key}",
        fingerprint=fingerprint("POST", f"/console/{kind.kind}", asked),
        request_id=current_request_id(),
        traceparent=current_traceparent(),
        payment_id=payment_id,
        amount=amount,
        reason=reason,
        **more,
    )


def is_done(command: Act) -> bool:
    """Whether this very command was carried out, or declined, before: a second click."""
    return stored_outcome(KeyedRequest(command.principal.id, command.key, command.fingerprint)) is not None


def operate(command: Act) -> Outcome:
    """
    Carry a command out, once for its key.

    :raises Problem: what declined or refused it, as the API answers it
    """
    outcome = execute([command])[0]
    count_payment(kind=command.kind, outcome=outcome.code)
    if outcome.status >= 400:
        problem = orjson.loads(outcome.body)
        raise Problem(problem["code"], problem["detail"])
    return outcome
