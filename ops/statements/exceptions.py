"""What has no counterpart: told after some days, and closed when one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q

from ledger.ids import id_maker
from ops.statements.models import MatchedEntry, StatementException, StatementLine, StatementSource
from ops.statements.pairing import Movement
from walletplatform.audit.actors import of_job
from walletplatform.audit.trail import record

Reason, State = StatementException.Reason, StatementException.State
# Of each kind in one run: the next one goes on.
MOST_OPENED = 5_000
AT_ONCE = 2_000

# Only of days that an imported statement covers: of another day nobody knows what the bank says.
_MISSING_OUTSIDE = """
    SELECT e.id, x.day, CASE e.direction WHEN 'DEBIT' THEN 'CREDIT' ELSE 'DEBIT' END, e.amount
      FROM ledger_entries e JOIN transactions t ON t.id = e.transaction_id
     CROSS JOIN LATERAL (SELECT (t.effective_at AT TIME ZONE 'UTC')::date AS day) AS x
     WHERE e.account_id = %(account)s AND e.seq > ledger_seq_at(%(account)s, %(since)s)
       AND x.day BETWEEN %(since)s::date AND %(due)s
       AND EXISTS (SELECT FROM statements s
                    WHERE s.source_id = %(source)s AND s.ends_on >= x.day AND s.begins_on <= x.day)
       AND NOT EXISTS (SELECT FROM statement_match_entries m WHERE m.entry_id = e.id)
       AND NOT EXISTS (SELECT FROM statement_exceptions k WHERE k.entry_id = e.id AND k.reason <> 'duplicate_outside')
     ORDER BY e.seq LIMIT %(most)s
"""


def open_exceptions(
    source: StatementSource, *, named: Mapping[UUID, Sequence[Movement]], horizon: date, now: datetime
) -> int:
    """
    Tell what is due, in the transaction that is open, and return how many exceptions that makes.

    ``named`` are the entries that lines name; entries from before ``horizon`` have been told.
    """
    due = (now - timedelta(days=source.patience_days)).date()
    new_id = id_maker(at=now)
    opened = [
        StatementException(id=new_id(), source=source, opened_at=now, **about)
        for about in _of_lines(source, named, due)
    ]  # fmt: skip
    StatementException.objects.bulk_create(opened, batch_size=AT_ONCE)
    missing = _missing_outside(source, horizon, due)
    StatementException.objects.bulk_create(
        [StatementException(id=new_id(), source=source, opened_at=now, **about) for about in missing],
        batch_size=AT_ONCE,
    )
    return len(opened) + len(missing)


def close_matched(*, lines: Sequence[UUID], entries: Sequence[UUID], now: datetime) -> None:
    """Close the open exceptions about what has a match by now, in the transaction that is open."""
    for start in range(0, max(len(lines), len(entries)), AT_ONCE):
        end = start + AT_ONCE
        about = Q(line_id__in=lines[start:end]) | Q(entry_id__in=entries[start:end], line__isnull=True)
        for one in StatementException.objects.select_for_update(no_key=True).filter(about, state=State.OPEN):
            one.state, one.closed_at = State.MATCHED, now
            one.save(update_fields=["state", "closed_at"])
            record(
                actor=of_job("statements"), action="exception.match", object_type="statement_exception",
                object_id=one.pk, before={"state": State.OPEN}, after={"state": State.MATCHED},
                reason="A counterpart has come.",
            )  # fmt: skip


def _of_lines(source: StatementSource, named: Mapping[UUID, Sequence[Movement]], due: date) -> list[dict[str, object]]:
    lines = StatementLine.objects.filter(source=source, open=True, booked_on__lte=due, exception__isnull=True)
    found = list(lines.order_by("booked_on", "id")[:MOST_OPENED])
    in_question = [entry.id for line in found for entry in named.get(line.pk, ())]
    taken = set(MatchedEntry.objects.filter(entry_id__in=in_question).values_list("entry_id", flat=True))
    return [_of_line(line, named.get(line.pk, ()), taken) for line in found]


def _of_line(line: StatementLine, entries: Sequence[Movement], taken: set[UUID]) -> dict[str, object]:
    about: dict[str, object] = {
        "line": line, "booked_on": line.booked_on, "direction": line.direction, "amount": line.amount,
    }  # fmt: skip
    free = [entry for entry in entries if entry.id not in taken]
    if free:
        return about | {"reason": Reason.AMOUNT_DIFFERS, "entry_id": free[0].id, "expected": free[0].amount}
    if entries:
        return about | {"reason": Reason.DUPLICATE_OUTSIDE, "entry_id": entries[0].id, "expected": entries[0].amount}
    if line.reference and _told_before(line):
        return about | {"reason": Reason.DUPLICATE_OUTSIDE}
    return about | {"reason": Reason.MISSING_IN_LEDGER}


def _told_before(line: StatementLine) -> bool:
    """Whether the source has said the same before: reference, direction and amount."""
    same = StatementLine.objects.filter(
        source_id=line.source_id, reference=line.reference, direction=line.direction, amount=line.amount
    )
    return same.filter(id__lt=line.pk).exists()


def _missing_outside(source: StatementSource, horizon: date, due: date) -> list[dict[str, object]]:
    first = source.statements.order_by("begins_on").values_list("begins_on", flat=True).first()
    if first is None:
        return []
    parameters: dict[str, Any] = {
        "account": source.account_id, "source": source.pk, "since": max(first, horizon), "due": due,
        "most": MOST_OPENED,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_MISSING_OUTSIDE, parameters)
        rows = cursor.fetchall()
    return [
        {"reason": Reason.MISSING_OUTSIDE, "entry_id": id, "booked_on": day, "direction": direction, "amount": amount}
        for id, day, direction, amount in rows
    ]
