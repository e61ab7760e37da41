"""
Match a source's open lines with the entries of the account that mirrors it, and put that on record.

Run after an import and daily: what had no counterpart then may have one now. One run at a time for a source; a crash
leaves nothing of it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.statements.exceptions import close_matched, open_exceptions
from ops.statements.holding import hold
from ops.statements.models import (
    MatchedEntry,
    MatchedLine,
    Statement,
    StatementException,
    StatementLine,
    StatementMatch,
    StatementSource,
)
from ops.statements.pairing import Movement, Pairer, Pairing

# Older lines are matched by their reference alone.
LOOK_BACK = timedelta(days=92)
AT_ONCE = 2_000
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")

# As the outside sees them: what the account gave came in there.
_SEEN = """e.id, (t.effective_at AT TIME ZONE 'UTC')::date,
           CASE e.direction WHEN 'DEBIT' THEN 'CREDIT' ELSE 'DEBIT' END, e.amount, e.seq"""
_OPEN_ENTRIES = f"""
    SELECT {_SEEN}
      FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
     WHERE e.account_id = %(account)s AND e.seq > ledger_seq_at(%(account)s, %(since)s)
       AND NOT e.transaction_id = ANY(%(corrections)s)
       AND NOT EXISTS (SELECT FROM statement_match_entries m WHERE m.entry_id = e.id)
       AND NOT EXISTS (SELECT FROM statement_exceptions x
                        WHERE x.entry_id = e.id AND x.state IN ('EXPLAINED', 'CORRECTING', 'CORRECTED')
                          AND x.reason IN ('missing_outside', 'amount_differs'))
     ORDER BY e.seq
"""
_NAMED_ENTRIES = f"""
    SELECT {_SEEN}, e.transaction_id,
           e.transaction_id = ANY(%(corrections)s)
           OR EXISTS (SELECT FROM statement_match_entries m WHERE m.entry_id = e.id)
           OR EXISTS (SELECT FROM statement_exceptions x
                       WHERE x.entry_id = e.id AND x.state = 'CORRECTING'
                         AND x.reason IN ('missing_outside', 'amount_differs'))
      FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
     WHERE e.transaction_id = ANY(%(payments)s) AND e.account_id = %(account)s
"""

# Made, and not on record yet as the counterpart of the line that they were proposed for.
_CORRECTIONS = """
    SELECT k.resource_id
      FROM statement_exceptions x
      JOIN approvals a ON a.id = x.approval_id
      JOIN idempotency_keys k ON k.principal_id = a.maker_id AND k.key = 'approval:' || a.id
     WHERE x.source_id = %(source)s AND x.state = 'CORRECTING'
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to: lines and entries matched by it, and exceptions opened."""

    lines: int
    entries: int
    exceptions: int


def match_all() -> None:
    """Match every source that has statements."""
    for source_id in StatementSource.objects.filter(statements__isnull=False).distinct().values_list("pk", flat=True):
        match_source(source_id)


@atomic(durable=True)
def match_source(source_id: UUID) -> Outcome:
    """Match what is open of a source, close the exceptions that this settles, and open those that are due."""
    source, now = hold(source_id), clock.now()
    lines = _open_lines(source)
    horizon = (now - LOOK_BACK).date()
    since = min((line.booked_on for line in lines), default=now.date())
    since = max(since, horizon) - timedelta(days=source.window_days)
    corrections = [payment for (payment,) in _rows(_CORRECTIONS, {"source": source.pk})]
    entries = _entries(source, datetime.combine(since, datetime.min.time(), tzinfo=now.tzinfo), corrections)
    named, matched = _named(source, lines, corrections)
    reserved = _reserved(source)
    free = [_movement(line) for line in lines if line.pk not in reserved]
    unmatched = {line: [one for one in found if one.id not in matched] for line, found in named.items()}
    pairer = Pairer(unmatched, source.tolerance, source.window_days)
    pairings = pairer.pair([one for one in free if one.day >= horizon or one.id in named], entries)
    put_on_record(source, pairings, now)
    opened = open_exceptions(source, named=named, horizon=horizon, now=now)
    return Outcome(
        sum(len(one.lines) for one in pairings), sum(len(one.entries) for one in pairings), opened
    )  # fmt: skip


def put_on_record(source: StatementSource, pairings: Iterable[Pairing], now: datetime) -> list[StatementMatch]:
    """Keep matches, in the transaction that is open, and close what they settle."""
    new_id, made, lines, entries = id_maker(at=now), [], [], []
    counts: dict[UUID, int] = defaultdict(int)
    for one in pairings:
        match = StatementMatch(
            id=new_id(), source=source, rule=one.rule, confidence=one.confidence, reason=one.reason,
            difference=one.difference, made_at=now,
        )  # fmt: skip
        made.append(match)
        lines += [MatchedLine(line_id=line.id, match=match) for line in one.lines]
        entries += [MatchedEntry(entry_id=entry.id, match=match) for entry in one.entries]
    StatementMatch.objects.bulk_create(made, batch_size=AT_ONCE)
    MatchedLine.objects.bulk_create(lines, batch_size=AT_ONCE)
    MatchedEntry.objects.bulk_create(entries, batch_size=AT_ONCE)
    matched = [one.line_id for one in lines]
    for start in range(0, len(matched), AT_ONCE):
        some = StatementLine.objects.filter(pk__in=matched[start : start + AT_ONCE])
        for statement_id in some.values_list("statement_id", flat=True):
            counts[statement_id] += 1
        some.update(open=False)
    for statement_id, count in counts.items():
        Statement.objects.filter(pk=statement_id).update(matched=F("matched") + count)
    close_matched(lines=matched, entries=[one.entry_id for one in entries], now=now)
    return made


def _open_lines(source: StatementSource) -> list[StatementLine]:
    return list(StatementLine.objects.filter(source=source, open=True).order_by("booked_on", "id"))


def _reserved(source: StatementSource) -> set[UUID]:
    """Lines for which a correcting entry is proposed: that is their counterpart."""
    correcting = StatementException.objects.filter(source=source, state=StatementException.State.CORRECTING)
    return set(correcting.filter(line__isnull=False).values_list("line_id", flat=True))


def _entries(source: StatementSource, since: datetime, corrections: Sequence[UUID]) -> list[Movement]:
    asked = {"account": source.account_id, "since": since, "corrections": corrections}
    found = _rows(_OPEN_ENTRIES, asked)
    return [Movement(id, day, direction, amount, (seq, 0)) for id, day, direction, amount, seq in found]


def _named(
    source: StatementSource, lines: Sequence[StatementLine], corrections: Sequence[UUID]
) -> tuple[dict[UUID, list[Movement]], set[UUID]]:
    """Return the entries that lines name, in the lines' direction; and which of them are spoken for already."""
    named: dict[UUID, list[Movement]] = {}
    matched: set[UUID] = set()
    for start in range(0, len(lines), AT_ONCE):
        payments = _payments_named(lines[start : start + AT_ONCE])
        by_payment: dict[UUID, list[Movement]] = defaultdict(list)
        wanted = list({payment for some in payments.values() for payment in some})
        for id, day, direction, amount, seq, payment, is_matched in _rows(
            _NAMED_ENTRIES, {"payments": wanted, "account": source.account_id, "corrections": corrections}
        ):
            by_payment[payment].append(Movement(id, day, direction, amount, (seq, 0)))
            if is_matched:
                matched.add(id)
        for line in lines[start : start + AT_ONCE]:
            some = [one for payment in sorted(payments.get(line.pk, ())) for one in by_payment.get(payment, ())]
            if found := [one for one in some if one.direction == line.direction]:
                named[line.pk] = found
    return named, matched


def _payments_named(lines: Sequence[StatementLine]) -> dict[UUID, set[UUID]]:
    """The payments that each line names: by id, anywhere in its words, or by the key of the request, alone."""
    named: dict[UUID, set[UUID]] = {}
    for line in lines:
        words = f"{line.reference} {line.text}".lower()
        if ids := {UUID(word) for word in _UUID.findall(words)}:
            named[line.pk] = ids
    by_key: dict[str, set[UUID]] = defaultdict(set)
    keys = list({line.reference for line in lines if line.reference})
    for key, payment in _rows(
        "SELECT key, resource_id FROM idempotency_keys WHERE key = ANY(%(keys)s)", {"keys": keys}
    ):
        by_key[key].add(payment)
    for line in lines:
        if line.reference in by_key:
            named.setdefault(line.pk, set()).update(by_key[line.reference])
    return named


def _movement(line: StatementLine) -> Movement:
    return Movement(line.pk, line.booked_on, line.direction, line.amount, (line.statement_id.int, line.number))


def _rows(sql: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())
