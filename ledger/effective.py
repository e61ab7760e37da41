"""
Balances and entries by effective time: when things happened in the world, not when they were booked.

Most entries happen as they are booked, and are found by booking; those that were booked later than they
happened are few, and have an index of their own (``transactions_backdated``). An answer by effective time
changes when somebody books into that past; by booked time (``ledger.balances``) it never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from uuid import UUID

from django.db.models import Case, F, Min, Q, QuerySet, Sum, When
from django.db.transaction import atomic

from ledger.balances import Span, balance_after, balance_at
from ledger.models import Entry

_CHUNK = 2_000


@dataclass(frozen=True, slots=True)
class EffectiveSpan:
    """
    What happened to an account from ``since`` (inclusive) until ``until``, of all that was booked when asked.

    ``opening`` and ``closing`` are the balances before and after, in minor units. ``booked`` are the entries
    that were booked in that time.
    """

    booked: Span
    since: datetime
    until: datetime
    opening: int
    closing: int

    @property
    def most_entries(self) -> int:
        """How many entries there may be at most."""
        span = self.booked
        booked_elsewhere = self._backdated().exclude(seq__gt=span.first_seq, seq__lte=span.last_seq)
        return span.last_seq - span.first_seq + booked_elsewhere.count()

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in the order of effective time, then of booking."""
        return merge(self._plain(), self._late(), key=_place)

    def _plain(self) -> Iterator[Entry]:
        seq = self.booked.first_seq
        while seq < self.booked.last_seq:
            for entry in self.booked.entries.filter(seq__gt=seq)[:_CHUNK]:
                seq = entry.seq
                if entry.transaction.effective_at == entry.transaction.booked_at:
                    yield entry

    def _late(self) -> Iterator[Entry]:
        # Not with a cursor of the server's: it would keep its connection while nobody reads on.
        chunk = list(self._backdated()[:_CHUNK])
        while chunk:
            yield from chunk
            moment, seq = _place(chunk[-1])
            later = Q(transaction__effective_at__gt=moment) | Q(transaction__effective_at=moment, seq__gt=seq)
            chunk = list(self._backdated().filter(later)[:_CHUNK])

    def _backdated(self) -> QuerySet[Entry]:
        found = _backdated(self.booked.account_id).filter(
            seq__lte=self.booked.seen_seq,
            transaction__effective_at__gte=self.since,
            transaction__effective_at__lt=self.until,
        )
        return found.order_by("transaction__effective_at", "seq")


@atomic
def balance_effective_at(*, account_id: UUID, moment: datetime) -> int:
    """
    Return an account's balance, in minor units, counting what happened up to ``moment``.

    :raises MomentNotReached: if ``moment`` lies ahead
    """
    late = _backdated(account_id).filter(transaction__effective_at__lte=moment, transaction__booked_at__gt=moment)
    return balance_at(account_id=account_id, moment=moment) + _change(late)


@atomic
def effective_span(booked: Span, *, since: datetime | None, until: datetime | None) -> EffectiveSpan:
    """
    Return what happened within a time; ``booked`` is its span by booking, checked not to lie ahead.

    Without ``since`` it begins with whatever happened first.
    """
    until = until or booked.until
    late = _backdated(booked.account_id).filter(seq__lte=booked.seen_seq)
    closing = _balance(booked, booked.last_seq, late.filter(transaction__effective_at__lt=until))
    if since is None:
        first = late.aggregate(first=Min("transaction__effective_at"))["first"]
        return EffectiveSpan(booked, min(first or booked.opened_at, booked.opened_at), until, 0, closing)
    opening = _balance(booked, booked.first_seq, late.filter(transaction__effective_at__lt=since))
    return EffectiveSpan(booked, since, until, opening, closing)


def _balance(booked: Span, seq: int, late: QuerySet[Entry]) -> int:
    """The balance after entry ``seq``, with what had happened by then and was booked after it."""
    return balance_after(account_id=booked.account_id, seq=seq) + _change(late.filter(seq__gt=seq))


def _place(entry: Entry) -> tuple[datetime, int]:
    """Where an entry stands in the order of effective time, then of booking."""
    return entry.transaction.effective_at, entry.seq


def _change(entries: QuerySet[Entry]) -> int:
    """What the entries add to the balance, in minor units."""
    change = Case(When(direction=Entry.Direction.CREDIT, then=F("amount")), default=-F("amount"))
    return int(entries.aggregate(total=Sum(change))["total"] or 0)


def _backdated(account_id: UUID) -> QuerySet[Entry]:
    return Entry.objects.select_related("transaction").filter(
        account_id=account_id, transaction__effective_at__lt=F("transaction__booked_at")
    )
