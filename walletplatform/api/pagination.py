"""
Keyset pages: a signed cursor names the last row seen, and the next page begins behind it.

A cursor binds the list, its filters and the principal. It names a key, not a number of rows, so rows
that come meanwhile neither repeat others nor push them out. No list counts its rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.http import QueryDict

from walletplatform.api.fields import FlagField, StrictSerializer, TextField
from walletplatform.api.problems import invalid

DEFAULT_LIMIT, MAX_LIMIT = 50, 100
_SALT = "walletplatform.cursor"
_LIMIT = re.compile("[1-9][0-9]?|100")


@dataclass(frozen=True, slots=True)
class Page:
    """What a list request asks for: ``limit`` rows behind ``after`` (None: from the beginning)."""

    limit: int
    after: str | None
    binding: list[Any]

    @property
    def fetch(self) -> int:
        """Rows to fetch: one more than shown tells whether there are more."""
        return self.limit + 1

    def answer(
        self, rows: Sequence[Any], represent: Callable[[Any], dict[str, Any]], key: Callable[[Any], Any]
    ) -> dict[str, Any]:
        """Return the page's JSON from up to ``fetch`` rows."""
        shown, has_more = rows[: self.limit], len(rows) > self.limit
        cursor = signing.dumps([*self.binding, str(key(shown[-1]))], salt=_SALT) if has_more else None
        return {"data": [represent(row) for row in shown], "has_more": has_more, "next_cursor": cursor}


def page_of(query: QueryDict, *, principal: Any, path: str, filters: Mapping[str, Any]) -> Page:
    """
    Read ``limit`` and ``cursor``.

    :raises Problem: ``validation_error`` for a limit outside 1-100, or a cursor that was not made by
        this list for this principal with these filters
    """
    binding = [str(principal), path, {name: str(value) for name, value in sorted(filters.items())}]
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not _LIMIT.fullmatch(text):
        raise invalid("/limit", "invalid", f"The limit is a number from 1 to {MAX_LIMIT}.")
    cursor, after = query.get("cursor"), None
    if cursor is not None:
        try:
            *bound, after = signing.loads(cursor, salt=_SALT)
        except (signing.BadSignature, ValueError, TypeError):
            bound = None
        if bound != binding:
            raise invalid("/cursor", "invalid", "The cursor is not of this list with these filters.")
    return Page(limit=int(text), after=after, binding=binding)


class PageAnswer(StrictSerializer):
    has_more = FlagField()
    next_cursor = TextField(allow_null=True)
