"""What is told of facts: a title and claims, each with the facts behind it. The form that the model must answer in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

MOST_CLAIMS, MOST_FACTS = 8, 8
TITLE, CLAIM = (5, 100), (10, 300)


class Malformed(Exception):
    """The text is not a story, or has a member too few or too many."""


@dataclass(frozen=True, slots=True)
class Claim:
    text: str
    facts: list[str]


@dataclass(frozen=True, slots=True)
class Story:
    title: str
    claims: list[Claim]


def schema(keys: list[str]) -> dict[str, Any]:
    """Return the JSON schema of a story about these facts: in the subset that strict structured output knows."""
    claim = {
        "type": "object",
        "properties": {
            "text": {"type": "string"},
            "facts": {"type": "array", "items": {"type": "string", "enum": keys}},
        },
        "required": ["text", "facts"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"title": {"type": "string"}, "claims": {"type": "array", "items": claim}},
        "required": ["title", "claims"],
        "additionalProperties": False,
    }


def parse(text: str) -> Story:
    """
    Read a story from JSON as strictly as a request of the API.

    :raises Malformed: for anything else
    """
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Malformed("not JSON") from None
    _members(given, {"title", "claims"})
    if not isinstance(given["title"], str) or not isinstance(given["claims"], list):
        raise Malformed("another schema")
    if not 1 <= len(given["claims"]) <= MOST_CLAIMS:
        raise Malformed(f"{len(given['claims'])} claims")
    return Story(given["title"], [_claim(claim) for claim in given["claims"]])


def _claim(given: Any) -> Claim:
    _members(given, {"text", "facts"})
    text, keys = given["text"], given["facts"]
    if not isinstance(text, str) or not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Malformed("another schema")
    if not 1 <= len(keys) <= MOST_FACTS or len(set(keys)) < len(keys):
        raise Malformed("a claim that cites no fact, one twice, or too many")
    return Claim(text, keys)


def _members(given: Any, names: set[str]) -> None:
    if not isinstance(given, dict) or given.keys() != names:
        raise Malformed("another schema")
