"""Which jobs there are: a name, its handler, and how it is to be done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

QUEUES = ("mail", "ai", "jobs")
# What a handler is given: what was asked, as JSON.
Payload = dict[str, Any]
Handle = Callable[[Payload], None]


class GiveUp(Exception):
    """Raised by a handler where trying again is of no use: the job is DEAD at once, with these words."""


@dataclass(frozen=True, slots=True)
class Handler:
    """
    ``outside``: it does what no rollback takes back, or has transactions of its own, and is written so that doing it
    twice shows as once. All others commit together with the job's end.
    """

    name: str
    title: str
    queue: str
    tries: int
    outside: bool
    handle: Handle


JOBS: dict[str, Handler] = {}


def job(name: str, *, queue: str, tries: int = 5, outside: bool = False, title: str = "") -> Callable[[Handle], Handle]:
    """
    Register a handler; ``title`` is what people read.

    Whatever it raises has the job tried again later, at growing pauses, until it is DEAD after ``tries``.
    """
    if queue not in QUEUES:
        raise ValueError(f"queue is one of {', '.join(QUEUES)}")

    def register(handle: Handle) -> Handle:
        if name in JOBS:
            raise ValueError(f"there are two handlers of {name}")
        JOBS[name] = Handler(name, title or name, queue, tries, outside, handle)
        return handle

    return register
