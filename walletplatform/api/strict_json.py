"""
JSON as two parsers would agree on it (RFC 8259, and RFC 7493 where that leaves room).

Refused: invalid UTF-8, a byte order mark, duplicate members, NaN and Infinity, numbers that would become
one of them or fit no 64 bits, NUL and lone surrogates in any text, more than 32 levels, anything after
the value.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from walletplatform.api.problems import Problem

MAX_DEPTH = 32
_BAD_TEXT = re.compile("[\0\ud800-\udfff]")
# A text of the body that could hold NUL or a surrogate holds it as an escape; most hold no escape.
_ESCAPE = b"\\u"
# Possessive, and ending at the text's end too: a text that never ends is read once, not once a quote.
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")


class _Refused(ValueError):
    """A reason to refuse the body, told to the caller."""


def parse(body: bytes) -> Any:
    """
    Return the value of ``body``.

    :raises Problem: ``malformed_json``
    """
    try:
        text = body.decode("utf-8")
        _check_depth(text)
        value = _DECODER.decode(text)
        if _ESCAPE in body or b"\0" in body:
            _check_texts(value)
    except UnicodeDecodeError:
        raise Problem("malformed_json", "The body is not UTF-8.") from None
    except _Refused as refused:
        raise Problem("malformed_json", str(refused)) from None
    except json.JSONDecodeError as error:
        raise Problem("malformed_json", f"The body is not JSON: line {error.lineno}, column {error.colno}.") from None
    return value


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _Refused("An object in the body names a member twice.")
    return members


def _refuse_constant(name: str) -> NoReturn:
    raise _Refused(f"{name} is not JSON.")


def _integer(digits: str) -> int:
    # What fits no 64 bits is read differently everywhere, and has no canonical text to fingerprint.
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**64:
        raise _Refused("A number in the body is too long.")
    return number


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise _Refused("A number in the body is too large.")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_members,
    parse_constant=_refuse_constant,
    parse_int=_integer,
    parse_float=_finite,
)


def _check_depth(text: str) -> None:
    """Refuse deep nesting before the recursive parser meets it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_DEPTH:
            raise _Refused(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        if _BAD_TEXT.search(value):
            raise _Refused("A text in the body holds NUL or a lone surrogate.")
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_texts(name)
            _check_texts(member)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)
