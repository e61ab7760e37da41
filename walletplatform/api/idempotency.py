"""The Idempotency-Key header, and the fingerprint that tells whether a request is the same."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
from django.http import HttpRequest

from walletplatform.api.problems import Problem

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
# RFC 8941, section 3.3.3: a quoted string, with \" and \\ as its only escapes.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')


def idempotency_key(request: HttpRequest, *, required: bool) -> str | None:
    """
    Return the key of a request: visible ASCII, bare or as a quoted RFC 8941 string, which is the same.

    :raises Problem: ``idempotency_key_required``, ``idempotency_key_invalid``
    """
    header = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        if required:
            raise Problem("idempotency_key_required", "Send an Idempotency-Key header of your choice.")
        return None
    quoted = _QUOTED.fullmatch(header)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else header
    # Servers join repeated headers by a comma: a bare comma may be two keys, so it is refused.
    if not _VISIBLE.fullmatch(key) or (not quoted and ("," in key or key.startswith('"'))):
        raise Problem(
            "idempotency_key_invalid",
            "An Idempotency-Key is one header of 1-255 visible ASCII characters (a comma only in quotes).",
        )
    return key


def fingerprint(method: str, path: str, body: Any) -> bytes:
    """Return the SHA-256 of a request: white space and the order of members make no difference."""
    canonical = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"\n".join([method.encode(), path.encode(), canonical])).digest()
