"""One at a time at a source: an import or matching, which may take long, or a person with one of its exceptions."""

from __future__ import annotations

from uuid import UUID

from django.db import connection

from ops.statements.models import StatementSource


def hold(source_id: UUID) -> StatementSource:
    """Return a source, with its asset and account, that nobody else works at until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '60s'")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
    sources = StatementSource.objects.select_for_update(no_key=True, of=("self",))
    return sources.select_related("asset", "account").get(pk=source_id)


def hold_for_a_moment(source_id: UUID) -> None:
    """The same for a person's act, which waits no longer than any: what is matched meanwhile is known to it."""
    StatementSource.objects.select_for_update(no_key=True).values_list("pk").get(pk=source_id)
