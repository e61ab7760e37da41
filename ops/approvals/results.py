"""What is asked for, and what came of it, as actions say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# What an action does to its target: the payload, and the minor units of it where it moves or allows money.
Payload = tuple[dict[str, Any], int | None]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of doing it: whether it was done, and what to keep of the answer."""

    done: bool
    answer: dict[str, Any]
