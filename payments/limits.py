"""
What a wallet may pay at most: in one payment, and in a day (UTC). Pure.

Limited is what its owner pays: transfers, spends and authorizations, these when they are made or raised. What was
counted stays counted, whether it is voided, expires, or is given back later; only a payment under review that fails
is counted no more, for it never came about. A day is that of the moment at which the payment was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import UUID

from ledger.money import to_text
from payments.state import Draft, Limits, PaymentState, Plan, Refusal, State

LIMITED = frozenset({"transfer", "spend", "authorization"})


def limits_of(
    per_payment: int | None, per_day: int | None, counted_from: date | None, spent: Mapping[str, int] | None
) -> Limits:
    """Return limits as they are read: what was spent comes as JSON, by days."""
    by_day = {date.fromisoformat(day): amount for day, amount in (spent or {}).items()}
    return Limits(per_payment, per_day, counted_from, by_day)


def over_limit(state: State, draft: Draft, more: int) -> Refusal | None:
    """
    Return the limit of the sender that stands against this, or None.

    ``more`` is what it adds to the day: all of the draft's amount, or what an authorization is raised by.
    """
    limits = state.limits.get(draft.sender.id)
    if limits is None or draft.kind not in LIMITED:
        return None
    if limits.per_payment is not None and draft.amount > limits.per_payment:
        return _exceeded(draft, "per_payment", limits.per_payment, limits.per_payment)
    if limits.per_day is not None:
        left = max(limits.per_day - limits.spent.get(_day(state.now), 0), 0)
        if more > left:
            return _exceeded(draft, "per_day", limits.per_day, left)
    return None


def count(state: State, plan: Plan, draft: Draft, more: int) -> None:
    """Take ``more`` from what the sender may still pay today, where its days are counted."""
    limits = state.limits.get(draft.sender.id)
    if limits is not None and limits.per_day is not None and draft.kind in LIMITED and more > 0:
        _add(plan, limits, draft.sender.id, _day(state.now), more)


def give_back(state: State, plan: Plan, payment: PaymentState) -> None:
    """Count a payment no more that was counted when it was asked for and did not come about."""
    limits, day = state.limits.get(payment.sender_id), _day(payment.created_at)
    if limits is not None and limits.counted_from is not None and day >= limits.counted_from:
        _add(plan, limits, payment.sender_id, day, -payment.amount)


def _add(plan: Plan, limits: Limits, wallet_id: UUID, day: date, change: int) -> None:
    limits.spent[day] = limits.spent.get(day, 0) + change
    plan.counted[wallet_id, day] = plan.counted.get((wallet_id, day), 0) + change


def _exceeded(draft: Draft, limit: str, allowed: int, left: int) -> Refusal:
    scale = draft.sender.scale
    says = {"limit": limit, "allowed": to_text(allowed, scale), "left": to_text(left, scale)}
    if limit == "per_payment":
        detail = f"The wallet pays {says['allowed']} at most in one payment."
    else:
        detail = f"The wallet pays {says['allowed']} a day (UTC) at most, and {says['left']} of today's are left."
    return Refusal("limit_exceeded", detail, says)


def _day(moment: datetime) -> date:
    return moment.astimezone(UTC).date()
