"""Query parameters, read as strictly as bodies."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.http import QueryDict
from rest_framework.serializers import ValidationError

from walletplatform.api.fields import IdField, TimeField
from walletplatform.api.problems import invalid

_ID, _TIME = IdField(), TimeField()


def id_parameter(query: QueryDict, name: str) -> UUID | None:
    value = query.get(name)
    try:
        return None if value is None else _ID.to_internal_value(value)
    except ValidationError:
        raise invalid(f"/{name}", "invalid", "An id is a UUID in lower-case hyphenated text.") from None


def time_parameter(query: QueryDict, name: str) -> datetime | None:
    value = query.get(name)
    try:
        # A + that was not escaped arrives as a space.
        return None if value is None else _TIME.to_internal_value(value.replace(" ", "+"))
    except ValidationError:
        detail = "A time is RFC 3339 with an offset: 2026-01-31T12:00:00Z."
        raise invalid(f"/{name}", "invalid", detail) from None


def choice_parameter(query: QueryDict, name: str, choices: Iterable[str]) -> str | None:
    value = query.get(name)
    if value is not None and value not in set(choices):
        raise invalid(f"/{name}", "invalid", f"One of: {', '.join(choices)}.")
    return value


def flag_parameter(query: QueryDict, name: str) -> bool:
    """Return whether ``name=true`` is given; the only other value is ``false``."""
    return choice_parameter(query, name, ["true", "false"]) == "true"
