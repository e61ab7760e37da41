"""
Places on the money path, and behind it, where a test can make the process die, as if the power had gone.

Off unless ``FAIL_POINT=name`` or ``name:nth`` is in the environment; then the process kills itself where
it comes to that place, for the n-th time. Never in production: there nothing is armed, and it refuses
to serve.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

MONEY = ("money.begun", "money.locked", "money.decided", "money.written", "money.committed", "money.answered")
NAMES = (
    *MONEY, "sequencer.written", "sequencer.committed", "consumer.applied", "consumer.committed",
    "relay.published", "webhook.sent", "approval.approved", "approval.executed", "job.claimed", "job.done",
)  # fmt: skip


def parse(text: str) -> tuple[str, int]:
    """
    Return the name and the count that ``FAIL_POINT`` says.

    :raises ImproperlyConfigured: for a place that does not exist: a test that kills nothing proves nothing
    """
    name, _, nth = text.partition(":")
    if name not in NAMES or not (nth or "1").isascii() or not (nth or "1").isdigit() or int(nth or "1") < 1:
        raise ImproperlyConfigured(f"FAIL_POINT is name or name:nth, of {', '.join(NAMES)}.")
    return name, int(nth or "1")


_asked = os.environ.get("FAIL_POINT", "")
_armed, _nth = parse(_asked) if _asked and not settings.PRODUCTION else ("", 0)
_passed = count(1)


def fail_point(name: str, first: Callable[[], object] = lambda: None) -> None:
    """Die here, without any clean-up, where this is the place that was asked for; do ``first`` before."""
    if name == _armed and next(_passed) == _nth:
        first()
        os.kill(os.getpid(), signal.SIGKILL)


def refusal() -> list[str]:
    """Return why a process with this environment may not serve; empty where it may."""
    return ["FAIL_POINT is set: payments would be killed half-way"] if _asked and settings.PRODUCTION else []
