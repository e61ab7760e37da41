"""
How refusals look over HTTP: RFC 9457 problem documents, and the catalogue of all of them.

Besides the standard's members a problem has ``code``, ``request_id``, ``retryable`` (may the same
request with the same key be sent again, and could that change the answer?) and ``outcome``
(``not_executed``, ``declined``, ``executed`` or ``unknown``), so that a client can act without guessing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

BASE = "/api/v1/problems/"
CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """One kind of problem. ``retry_after`` is in seconds; only what is retryable has one."""

    status: int
    title: str
    outcome: str
    retry_after: int | None = None

    @property
    def retryable(self) -> bool:
        return self.retry_after is not None


OUTCOMES = ("not_executed", "declined", "executed", "unknown")
_NOT, _DECLINED, _EXECUTED, _UNKNOWN = OUTCOMES

CATALOGUE = {
    "malformed_json": ProblemType(400, "The body is not strict JSON", _NOT),
    "validation_error": ProblemType(400, "The request has errors", _NOT),
    "idempotency_key_required": ProblemType(400, "An Idempotency-Key is required", _NOT),
    "idempotency_key_invalid": ProblemType(400, "The Idempotency-Key is malformed", _NOT),
    "bad_request": ProblemType(400, "The request is malformed", _NOT),
    "invalid_token": ProblemType(401, "The bearer token is missing or not valid", _NOT),
    "invalid_credentials": ProblemType(401, "The credentials are not valid", _NOT),
    "forbidden": ProblemType(403, "The token does not allow this", _NOT),
    "not_found": ProblemType(404, "Not found", _NOT),
    "method_not_allowed": ProblemType(405, "The method is not allowed here", _NOT),
    "not_acceptable": ProblemType(406, "Nothing that you accept can be answered", _NOT),
    "wallet_not_active": ProblemType(409, "The wallet is not active", _DECLINED),
    "invalid_state": ProblemType(409, "The state does not allow this", _DECLINED),
    "idempotency_in_progress": ProblemType(409, "The same key is being executed", _UNKNOWN, 1),
    "idempotency_key_expired": ProblemType(409, "The answer of this key is no longer kept", _EXECUTED),
    "secret_already_shown": ProblemType(409, "The secret was shown once", _EXECUTED),
    "precondition_failed": ProblemType(412, "The resource has changed", _NOT),
    "payload_too_large": ProblemType(413, "The body is too large", _NOT),
    "unsupported_media_type": ProblemType(415, "Only application/json in UTF-8 is read", _NOT),
    "insufficient_funds": ProblemType(422, "The available balance is too small", _DECLINED),
    "same_wallet": ProblemType(422, "Sender and receiver are the same wallet", _NOT),
    "amount_scale": ProblemType(422, "The amount has too many decimals", _NOT),
    "asset_mismatch": ProblemType(422, "The wallets hold different assets", _DECLINED),
    "balance_overflow": ProblemType(422, "The balance would be too large", _DECLINED),
    "limit_exceeded": ProblemType(422, "A limit is exceeded", _DECLINED),
    "payment_denied": ProblemType(422, "The payment was denied", _DECLINED),
    "review_required": ProblemType(422, "Somebody must decide about the payment first", _DECLINED),
    "quote_expired": ProblemType(422, "The quote has expired", _DECLINED),
    "quote_mismatch": ProblemType(422, "The quote is for something else", _DECLINED),
    "idempotency_key_reused": ProblemType(422, "The key stands for another request", _NOT),
    "predecessor_failed": ProblemType(424, "The payment that this one comes after failed", _NOT),
    "precondition_required": ProblemType(428, "An If-Match header is required", _NOT),
    "rate_limited": ProblemType(429, "Too many requests", _NOT, 1),
    "lock_timeout": ProblemType(429, "The wallet is busy", _NOT, 1),
    "internal_error": ProblemType(500, "An error on our side", _UNKNOWN, 5),
    "unavailable": ProblemType(503, "Not available now", _NOT, 1),
    "overloaded": ProblemType(503, "Too much to do now", _NOT, 1),
    "deadline_exceeded": ProblemType(503, "There was no time to begin", _NOT, 1),
    "outcome_unknown": ProblemType(504, "The outcome is not known yet", _UNKNOWN, 1),
}


class Problem(Exception):
    """
    A refusal on its way to the caller; ``code`` is of ``CATALOGUE``.

    ``errors`` are field errors, ``[{"pointer": "/amount", "code", "detail"}]``; ``members`` become
    members of the document. Everything here is shown to the caller.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        self.members = members

    @property
    def status(self) -> int:
        return CATALOGUE[self.code].status


def invalid(pointer: str, code: str, detail: str) -> Problem:
    """A ``validation_error`` of one field."""
    return Problem("validation_error", detail, errors=[{"pointer": pointer, "code": code, "detail": detail}])


def problem_bytes(
    code: str,
    detail: str,
    request_id: str,
    *,
    errors: list[dict[str, str]] | None = None,
    **members: Any,
) -> bytes:
    """Return a problem document as JSON. Pure: the money path stores these very bytes."""
    kind = CATALOGUE[code]
    document = {
        "type": BASE + code,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "retryable": kind.retryable,
        "outcome": kind.outcome,
    }
    if errors:
        document["errors"] = errors
    return orjson.dumps(document | members)
