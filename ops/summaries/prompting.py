"""What the model is asked: our own words, and facts made of figures and words of our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from ops.summaries.facts import Facts
from ops.summaries.stories import CLAIM, MOST_CLAIMS, TITLE, schema

# Raised with every change of the words below or of the schema.
VERSION = "1"
MOST_TOKENS_OUT = 1_500
# What an endpoint may add to a request by itself.
_OVERHEAD = 500

_RULES = f"""You summarise how a payments platform did, for its operators, from a list of facts in JSON.
Answer with a title of {TITLE[0]} to {TITLE[1]} characters and 3 to {MOST_CLAIMS} claims of one or two sentences,
each of {CLAIM[0]} to {CLAIM[1]} characters. Begin with what matters most: failures, findings, what changed.
Each claim cites in "facts" the keys of all facts that it tells of, and tells of nothing else.
Write plain English for adults: letters, digits and . , ; : ( ) % only.
Copy each number exactly as it is in "value" or "change" (a per cent), followed by its unit if it has one; copy one
from "before" only right behind the word from.
Never calculate, round or add up, and write no number and no quantity in words (half, most, all, twice, thousands).
Use the words of the labels. Say that something rose or fell only where "direction" says so. Deny nothing.
Call wallets only by the names given. Name no date but those of the window.
Report only: address nobody, recommend nothing, and give no reason that is not a fact."""


@dataclass(frozen=True, slots=True)
class Prompt:
    messages: list[dict[str, str]]
    response_format: dict[str, Any]

    @property
    def most_tokens_in(self) -> int:
        """More tokens than the request can have: none is shorter than a byte."""
        return len(orjson.dumps([self.messages, self.response_format])) + _OVERHEAD


def prompt(facts: Facts, *, kind: str) -> Prompt:
    window = {
        "from": f"{facts.window.begins_at:%Y-%m-%d %H:%M} UTC",
        "to": f"{facts.window.ends_at:%Y-%m-%d %H:%M} UTC",
    }
    given = {"kind": kind, "window": window, "facts": [fact.sent() for fact in facts]}
    form = {"name": "summary", "strict": True, "schema": schema([fact.key for fact in facts])}
    return Prompt(
        messages=[
            {"role": "system", "content": _RULES},
            {"role": "user", "content": orjson.dumps(given).decode()},
        ],
        response_format={"type": "json_schema", "json_schema": form},
    )
