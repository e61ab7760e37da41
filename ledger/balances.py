"""Balances and entries of the past, which never change once answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.db.transaction import atomic

from ledger import clock
from ledger.models import Account, Entry

# Half a statement's border: "up to, and not including" in PostgreSQL's finest unit of time.
INSTANT = timedelta(microseconds=1)


class MomentNotReached(Exception):
    """The moment asked about has not come yet by the database's clock, so anything may happen."""


@dataclass(frozen=True, slots=True)
class Span:
    """
    The entries of an account within a time: those after ``first_seq``, up to ``last_seq``.

    ``seen_seq`` is the account's newest entry when it was asked; what is booked after that is not looked at.
    """

    account_id: UUID
    opened_at: datetime
    until: datetime
    first_seq: int
    last_seq: int
    seen_seq: int

    @property
    def entries(self) -> QuerySet[Entry]:
        return (
            Entry.objects.filter(account_id=self.account_id, seq__gt=self.first_seq, seq__lte=self.last_seq)
            .select_related("transaction")
            .order_by("seq")
        )


@atomic
def balance_at(*, account_id: UUID, moment: datetime) -> int:
    """
    Return an account's balance, in minor units, as it stood at ``moment``.

    :raises MomentNotReached: if ``moment`` lies ahead
    """
    _settle(account_id, moment)
    [seq] = _seqs_at(account_id, moment)
    return balance_after(account_id=account_id, seq=seq)


@atomic
def span(*, account_id: UUID, since: datetime | None, until: datetime | None) -> Span:
    """
    Return which entries were booked from ``since`` (inclusive) until ``until`` (exclusive; now).

    :raises MomentNotReached: if ``since`` or ``until`` lies ahead
    """
    account, now = _settle(account_id, max(filter(None, [since, until]), default=None))
    since = max(since, account.created_at) if since else None
    opened_at = since or account.created_at
    until = max(until or now, account.created_at)
    *before, last = _seqs_at(account_id, *(moment - INSTANT for moment in (since, until) if moment))
    first = before[0] if before else 0
    last = max(first, last)
    return Span(account_id, opened_at, until, first, last, account.seq)


def balance_after(*, account_id: UUID, seq: int) -> int:
    """Return the balance after the account's entry ``seq``; 0 before the first."""
    if seq == 0:
        return 0
    return Entry.objects.values_list("balance_after", flat=True).get(account_id=account_id, seq=seq)


def _settle(account_id: UUID, moment: datetime | None) -> tuple[Account, datetime]:
    """Wait for whoever is posting, then read the clock: later postings are booked after it."""
    account = Account.objects.raw("SELECT * FROM accounts WHERE id = %s FOR SHARE", [account_id])[0]
    # A clock that was set back does not hide what has been booked ahead of it.
    now = max(clock.now(), account.booked_at + INSTANT if account.booked_at else account.created_at)
    if moment is not None and moment > now:
        raise MomentNotReached
    return account, now


def _seqs_at(account_id: UUID, *moments: datetime) -> list[int]:
    """Return the account's newest entry at each of the moments; 0 before the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_seq_at(%s, at) FROM unnest(%s::timestamptz[]) WITH ORDINALITY AS asked (at, n) ORDER BY n",
            [account_id, list(moments)],
        )
        return [seq for (seq,) in cursor.fetchall()]
