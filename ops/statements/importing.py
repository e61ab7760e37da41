"""Take a statement's file in: whole, once, in one transaction; or not at all."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import PurePath
from uuid import UUID

from django.db import IntegrityError
from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.jobs.queueing import enqueue
from ops.statements.camt import read_camt
from ops.statements.csv_files import read_csv
from ops.statements.holding import hold
from ops.statements.mapping import to_mapping
from ops.statements.models import Statement, StatementLine, StatementSource
from ops.statements.reading import MOST_BYTES, Expected, ReadLine, ReadStatement, Unreadable, shown
from walletplatform.audit.actors import Actor
from walletplatform.audit.trail import record

AT_ONCE = 2_000


def read_file(source: StatementSource, file_name: str, content: bytes, *, now: datetime) -> list[ReadStatement]:
    """
    Return what a file says, without keeping anything.

    :raises Unreadable: where it is not a whole, right statement of the source
    """
    if not content:
        raise Unreadable("The file is empty.")
    if len(content) > MOST_BYTES:
        raise Unreadable(f"A file has {MOST_BYTES // 1024**2} MiB at most.")
    expected = Expected(source.asset_id, source.asset.scale, now.date(), source.identifier)
    if source.format == StatementSource.Format.CAMT:
        return read_camt(content, expected)
    number = PurePath(file_name).stem[:80] or "statement"
    return [read_csv(content, to_mapping(source.mapping), expected, number=number)]


def import_file(*, actor: Actor, source: StatementSource, file_name: str, content: bytes) -> list[Statement]:
    """
    Keep what a file says, and return its statements.

    :raises Unreadable: where it is not right, or was imported before, in whole or in part; nothing is kept then
    """
    now = clock.now()
    read = read_file(source, file_name, content, now=now)
    return _keep(actor, source, PurePath(file_name).name[:200], content, read, now)


@atomic(durable=True)
def _keep(
    actor: Actor, source: StatementSource, file_name: str, content: bytes, read: list[ReadStatement], now: datetime
) -> list[Statement]:
    # One at a time for a source, so that the same file twice at once is a refusal and no error.
    hold(source.pk)
    sha256 = hashlib.sha256(content).hexdigest()
    _check_new(source, read, sha256)
    new_id = id_maker(at=now)
    statements = [
        Statement(
            id=new_id(), source=source, number=one.number, file_name=file_name, sha256=sha256, part=part,
            begins_on=one.begins_on, ends_on=one.ends_on, opening=one.opening, closing=one.closing,
            credits=sum(line.amount for line in one.lines if line.direction == "CREDIT"),
            debits=sum(line.amount for line in one.lines if line.direction == "DEBIT"),
            line_count=len(one.lines), imported_by=actor.name or str(actor.id), imported_at=now,
        )
        for part, one in enumerate(read)
    ]  # fmt: skip
    try:
        with atomic():
            Statement.objects.bulk_create(statements)
            for statement, one in zip(statements, read, strict=True):
                StatementLine.objects.bulk_create(
                    [_row(line, new_id(), statement) for line in one.lines], batch_size=AT_ONCE
                )
    except IntegrityError as error:
        raise Unreadable("Some of it was imported a moment ago.") from error
    for statement in statements:
        after = {"source": source.name, "number": statement.number, "lines": statement.line_count, "sha256": sha256}
        record(actor=actor, action="statement.import", object_type="statement", object_id=statement.pk, after=after)
    enqueue("statements.match_source", {"source": str(source.pk)})
    return statements


def _check_new(source: StatementSource, read: list[ReadStatement], sha256: str) -> None:
    known = Statement.objects.filter(sha256=sha256).select_related("source").first()
    if known is not None:
        raise Unreadable(f"This very file was imported before, as {shown(known.number)} of {known.source.name}.")
    numbers = [one.number for one in read]
    if len(set(numbers)) < len(numbers):
        raise Unreadable("Two of its statements have one name.")
    if again := Statement.objects.filter(source=source, number__in=numbers).values_list("number", flat=True).first():
        raise Unreadable(f"A statement {shown(again)} of {source.name} was imported before.")
    by_reference = {line.bank_reference: line for one in read for line in one.lines if line.bank_reference}
    references = list(by_reference)
    for start in range(0, len(references), AT_ONCE):
        known_line = (
            StatementLine.objects.filter(source=source, bank_reference__in=references[start : start + AT_ONCE])
            .exclude(bank_reference="")
            .select_related("statement")
            .first()
        )
        if known_line is not None:
            before = f"statement {shown(known_line.statement.number)}"
            raise Unreadable(
                f"The bank's reference {shown(known_line.bank_reference)} was in {before} already.",
                f"Line {by_reference[known_line.bank_reference].number}",
            )


def _row(line: ReadLine, id: UUID, statement: Statement) -> StatementLine:
    return StatementLine(
        id=id, statement=statement, source_id=statement.source_id, number=line.number, booked_on=line.booked_on,
        direction=line.direction, amount=line.amount, reference=line.reference, bank_reference=line.bank_reference,
        counterparty=line.counterparty, text=line.text, is_reversal=line.is_reversal,
    )  # fmt: skip
