"""What the audit trail says of an act of staff. It is in the plan of the act: written with it, or neither is. Pure."""

from __future__ import annotations

from typing import Any

import orjson

from ledger.money import to_text
from payments.commands import NOBODY, Act, Command
from payments.state import Draft, Outcome, Plan

_AMOUNTS = ("authorized_amount", "captured_amount", "refunded_amount")


def seen(draft: Draft) -> dict[str, Any] | None:
    """Return how the payment acted on stands, None where there is none yet."""
    parent = draft.parent
    if parent is None:
        return None
    amounts = {name: getattr(parent, name) for name in _AMOUNTS}
    return {"status": parent.status} | {
        name: None if value is None else to_text(value, draft.sender.scale) for name, value in amounts.items()
    }


def sign(plan: Plan, command: Command, draft: Draft, before: dict[str, Any] | None, outcome: Outcome) -> None:
    """Add to the plan what a member of staff did, or tried and was declined."""
    signature = command.signature or NOBODY
    answered = orjson.loads(outcome.body)
    made = answered.get("payment_id") or answered.get("id")
    about = str(draft.parent.id) if draft.parent else made
    after = (seen(draft) or {}) | {
        "outcome": outcome.code,
        "amount": f"{to_text(draft.amount, draft.sender.scale)} {draft.sender.asset}",
    }
    if made != about:
        after["payment"] = made
    if signature.approval:
        after["approval"] = signature.approval
    plan.audits.append(
        (
            command.principal.id, signature.name, f"payment.{_verb(command, draft)}",
            about, None if before is None else orjson.dumps(before).decode(),
            orjson.dumps(after).decode(), draft.description, command.request_id, signature.address,
        )
    )  # fmt: skip


def _verb(command: Command, draft: Draft) -> str:
    return type(command).__name__.lower() if isinstance(command, Act) else draft.kind
