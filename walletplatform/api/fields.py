"""
Strict fields: a JSON string is not a number, ``"yes"`` is not true, and ``"1e3"`` is no amount.

Serializers here only check shape, and tell the OpenAPI schema what it is. One instance serves all
requests (``validated``): making a serializer copies all its fields, which costs more than using it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from walletplatform.api.problems import Problem

_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,8})?", re.ASCII)
# 18 digits and the point.
_AMOUNT_LENGTH = 19
_AMOUNT_SCHEMA = {
    "type": "string",
    "pattern": f"^(?![0.]+$){_AMOUNT.pattern}$",
    "maxLength": _AMOUNT_LENGTH,
    "example": "12.50",
}
# For the schema; strict JSON refuses NUL in any text.
CLEAN_TEXT = "^[^\\u0000]*$"
# What a refusal shows of a bad request, however bad it is.
_SHOWN_ERRORS, _SHOWN_TEXT = 20, 120
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)


class TextField(serializers.CharField):
    """A JSON string, taken as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """``true`` or ``false``, and nothing that merely sounds like it."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=str(data)[:20])
        return data


class WholeNumberField(serializers.IntegerField):
    """A JSON integer, and no text or fraction that looks like one."""

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class IdField(serializers.UUIDField):
    """A UUID in lower-case hyphenated text."""

    def to_internal_value(self, data: Any) -> UUID:
        if not isinstance(data, str) or not _UUID.fullmatch(data):
            self.fail("invalid", value=str(data)[:50])
        return UUID(data)


@extend_schema_field(_AMOUNT_SCHEMA)
class AmountField(serializers.Field[Decimal, str, str, Any]):
    """A decimal text greater than 0, in the asset's unit: ASCII digits and one point."""

    default_error_messages = {
        "invalid": 'An amount is a decimal text like "12.50": digits and one point, nothing else.',
        "too_long": "An amount has 18 digits at most.",
        "zero": "An amount is greater than 0.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str) or not _AMOUNT.fullmatch(data):
            self.fail("invalid")
        if len(data) > _AMOUNT_LENGTH:
            self.fail("too_long")
        amount = Decimal(data)
        if not amount:
            self.fail("zero")
        return amount


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": 50,
        "propertyNames": {"minLength": 1, "maxLength": 40, "pattern": CLEAN_TEXT},
        "additionalProperties": {"type": "string", "maxLength": 500, "pattern": CLEAN_TEXT},
    }
)
class MetadataField(serializers.Field[dict[str, str], Any, Any, Any]):
    """A flat object: 50 members of 40 characters at most, with texts of 500 at most."""

    default_error_messages = {
        "invalid": "Metadata is a flat object of texts.",
        "size": "Metadata has 50 members at most, names of 1-40 characters and texts of 500 at most.",
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict) or not all(isinstance(text, str) for text in data.values()):
            self.fail("invalid")
        if len(data) > 50 or any(not 1 <= len(n) <= 40 or len(t) > 500 for n, t in data.items()):
            self.fail("size")
        return data


@extend_schema_field({"type": "string", "format": "date-time"})
class TimeField(serializers.Field[datetime, str, str, Any]):
    """RFC 3339 with an offset; a moment, never a local time."""

    default_error_messages = {"invalid": "A time is RFC 3339 with an offset: 2026-01-31T12:00:00Z."}

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or not _TIME.fullmatch(data):
            self.fail("invalid")
        try:
            return datetime.fromisoformat(data.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")


class StrictSerializer(serializers.Serializer[Any]):
    """Members that it does not know are errors."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if isinstance(data, dict) and (unknown := data.keys() - self.fields.keys()):
            raise serializers.ValidationError(
                {name: ErrorDetail("There is no such field.", code="unknown_field") for name in unknown}
            )
        return dict(super().to_internal_value(data))


def validated(serializer: StrictSerializer, data: Any) -> dict[str, Any]:
    """
    Return what ``serializer`` reads from ``data``.

    :raises Problem: ``validation_error`` with a pointer for each field
    """
    try:
        return dict(serializer.run_validation(data))
    except serializers.ValidationError as error:
        errors = _field_errors(error.detail, "")[:_SHOWN_ERRORS]
        raise Problem("validation_error", "The request has errors.", errors=errors) from None


def _field_errors(detail: Any, pointer: str) -> list[dict[str, str]]:
    if isinstance(detail, dict):
        found = []
        for name, inner in sorted(detail.items()):
            # RFC 6901 escapes; a caller's own name is shown shortened.
            step = "" if name == "non_field_errors" else "/" + str(name)[:60].replace("~", "~0").replace("/", "~1")
            found += _field_errors(inner, pointer + step)
        return found
    if isinstance(detail, list):
        return [error for inner in detail for error in _field_errors(inner, pointer)]
    return [{"pointer": pointer, "code": detail.code, "detail": str(detail)[:_SHOWN_TEXT]}]
