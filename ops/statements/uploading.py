"""Files between their preview and their import."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePath
from uuid import UUID

from django.db.transaction import atomic

from ledger import clock
from ledger.ids import id_maker
from ops.approvals.refusing import Refused
from ops.approvals.steps import entitled
from ops.statements.importing import import_file, read_file
from ops.statements.models import Statement, StatementSource, StatementUpload
from ops.statements.reading import ReadStatement
from walletplatform.audit.actors import of_staff
from walletplatform.identity.models import User

RIGHT = "ops.import_statement"
KEPT = timedelta(days=1)


def upload(
    *, user: User, source: StatementSource, file_name: str, content: bytes
) -> tuple[StatementUpload, list[ReadStatement]]:
    """
    Keep a file that can be read for a day, and return it with what it says; nothing is imported.

    :raises Refused: ``forbidden``; ``invalid`` (``Unreadable``) where it is not right
    """
    entitled(user, RIGHT)
    now = clock.now()
    read = read_file(source, file_name, content, now=now)
    kept = StatementUpload.objects.create(
        id=id_maker(at=now)(), source=source, user_id=user.pk, file_name=PurePath(file_name).name[:200],
        content=content, uploaded_at=now,
    )  # fmt: skip
    return kept, read


def import_upload(*, user: User, source: StatementSource, upload_id: UUID) -> list[Statement]:
    """
    Import what the same person has uploaded, and forget the upload.

    :raises Refused: ``forbidden``, ``not_found``; ``invalid`` as ``import_file``
    """
    entitled(user, RIGHT)
    kept = StatementUpload.objects.filter(pk=upload_id, source=source, user_id=user.pk).first()
    if kept is None:
        raise Refused("not_found", "The file is not here any more: upload it again.")
    statements = import_file(
        actor=of_staff(user), source=source, file_name=kept.file_name, content=bytes(kept.content)
    )  # fmt: skip
    kept.delete()
    return statements


@atomic
def forget_old() -> None:
    """Throw away what was uploaded a day ago and never imported."""
    StatementUpload.objects.filter(uploaded_at__lt=clock.now() - KEPT).delete()
