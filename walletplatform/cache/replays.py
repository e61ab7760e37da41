"""
Answers already given, so that a storm of repeated requests does not reach PostgreSQL.

``idempotency:{principal}:{key}`` for a day. Only what has been committed is remembered, with the database
that it was committed to (its ``epoch``), so that a database restored to an earlier moment is not answered
for. Whatever is missing, malformed or of another epoch is looked up in PostgreSQL, as if there were no Redis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import orjson

from walletplatform.cache.redis import ask

DAY = 24 * 3600
Key = tuple[UUID, str]
# Fingerprint, status and body.
Answer = tuple[bytes, int, bytes]


def recall(keys: Sequence[Key], *, epoch: str) -> dict[Key, Answer]:
    """Return the answers that are remembered, in one round trip."""
    values: list[Any] = ask("replays", lambda redis: redis.mget([_name(key) for key in keys]), [])
    found = {}
    for key, value in zip(keys, values, strict=False):
        answer = _read(value, epoch) if value is not None else None
        if answer is not None:
            found[key] = answer
    return found


def remember(answers: Iterable[tuple[Key, Answer]], *, epoch: str) -> None:
    """Remember answers that have been committed, in one round trip."""

    def write(redis: Any) -> None:
        with redis.pipeline(transaction=False) as pipeline:
            for key, answer in answers:
                pipeline.set(_name(key), _value(answer, epoch), ex=DAY)
            pipeline.execute()

    ask("replays", write, None)


def _name(key: Key) -> str:
    return f"idempotency:{key[0]}:{key[1]}"


def _value(answer: Answer, epoch: str) -> bytes:
    fingerprint, status, body = answer
    return orjson.dumps([epoch, fingerprint.hex(), status]) + b"\n" + body


def _read(value: bytes, epoch: str) -> Answer | None:
    head, _, body = value.partition(b"\n")
    try:
        known, fingerprint, status = orjson.loads(head)
        return (bytes.fromhex(fingerprint), int(status), body) if known == epoch and body else None
    except (ValueError, TypeError):
        return None
