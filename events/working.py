"""Processes that do a step over and over: the sequencer, relays and consumers, each until it is told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from threading import Event

from django.db import DatabaseError, InterfaceError, connection

logger = logging.getLogger(__name__)
LONGEST_PAUSE = 5.0


class Halted(Exception):
    """A step can't go on before somebody has mended what it says."""


def work(step: Callable[[], int], *, idle_seconds: float) -> None:
    """
    Call ``step`` until SIGTERM or Ctrl-C; it returns how much it did, and after nothing there is a pause.

    A step that the database fails, or that is halted, is tried again at ever longer intervals up to 5 s:
    what it had not committed did not happen.
    """
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    pause = idle_seconds
    while not stopped.is_set():
        try:
            done = step()
        except (DatabaseError, InterfaceError, Halted) as error:
            pause = min(max(2 * pause, 0.1), LONGEST_PAUSE)
            logger.warning("A step failed and is tried again in %.1f s: %s", pause, str(error).strip())
            if not isinstance(error, Halted):
                connection.close()
            stopped.wait(pause)
            continue
        pause = idle_seconds
        if not done:
            stopped.wait(pause)
