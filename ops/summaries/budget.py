"""
What the model costs: reserved under a lock before it is asked, so that no number of workers spends more than the day's
budget, and put right by what it took.
"""

from __future__ import annotations

import zlib
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet, Sum
from django.db.models.functions import Coalesce
from django.db.transaction import atomic

from ledger import clock
from ops.summaries.asking import NOTHING, Usage
from ops.summaries.models import ModelCall, Summary
from ops.summaries.prompting import MOST_TOKENS_OUT, Prompt

MOST_CALLS = 2
ANSWERED = "answered"
# After its deadline, a worker that lives has said what came of its call.
_GRACE = timedelta(seconds=30)
_MICRO = Decimal("0.000001")
_LOCK = zlib.crc32(b"budget of the model")


class OverBudget(Exception):
    """The day has not enough left for another call."""


class Interrupted(Exception):
    """Somebody asked for this summary and never came back: it is not asked for again."""


class AtWork(Exception):
    """Somebody else is asking for this summary now."""


def price(usage: Usage) -> Decimal:
    """Return what so many tokens cost, in the currency of the settings' prices (for a million each)."""
    cost = (usage.tokens_in * settings.AI_PRICE_IN + usage.tokens_out * settings.AI_PRICE_OUT) / 1_000_000
    return Decimal(cost).quantize(_MICRO, ROUND_UP)


@atomic(durable=True)
def reserve(*, summary_id: UUID, prompt: Prompt) -> ModelCall:
    """
    Put a call on record and reserve the most that it can cost.

    :raises AtWork:
    :raises Interrupted:
    :raises OverBudget:
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    now = clock.now()
    calls = list(ModelCall.objects.filter(summary_id=summary_id).order_by("number"))
    if any(call.finished_at is None for call in calls):
        last = max(call.started_at for call in calls)
        raise AtWork if last + timedelta(seconds=settings.AI_TIMEOUT) + _GRACE > now else Interrupted
    if answered := [call.finished_at for call in calls if call.outcome == ANSWERED and call.finished_at]:
        # Whoever has the answer is about to write it down.
        raise AtWork if max(answered) + _GRACE > now else Interrupted
    if len(calls) >= MOST_CALLS:
        raise Interrupted
    needed = price(Usage(prompt.most_tokens_in, MOST_TOKENS_OUT))
    today = ModelCall.objects.filter(started_at__gte=now.replace(hour=0, minute=0, second=0, microsecond=0))
    spent = today.aggregate(spent=Sum(Coalesce("cost", "reserved")))["spent"] or Decimal(0)
    if spent + needed > settings.AI_DAILY_BUDGET:
        raise OverBudget
    return ModelCall.objects.create(
        summary_id=summary_id, number=len(calls) + 1, model=settings.AI_MODEL[:100], reserved=needed, started_at=now
    )


@atomic
def settle(call: ModelCall, *, usage: Usage | None, outcome: str, detail: str = "") -> None:
    """Put on record what came of a call; where nobody knows what it took, it cost all that was reserved."""
    known = usage is not None and usage != NOTHING
    ModelCall.objects.filter(summary_id=call.summary_id, number=call.number, finished_at=None).update(
        cost=call.reserved if usage is None else price(usage),
        tokens_in=usage.tokens_in if usage and known else None,
        tokens_out=usage.tokens_out if usage and known else None,
        outcome=outcome,
        detail=detail[:200],
        finished_at=clock.now(),
    )


def with_costs(summaries: QuerySet[Summary]) -> QuerySet[Any]:
    """Add to each summary the tokens of its calls, and their cost."""
    return summaries.annotate(
        tokens_in=Coalesce(Sum("calls__tokens_in"), 0),
        tokens_out=Coalesce(Sum("calls__tokens_out"), 0),
        cost=Coalesce(Sum(Coalesce("calls__cost", "calls__reserved")), Decimal(0)),
    )
