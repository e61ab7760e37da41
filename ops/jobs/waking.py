"""
Wake a worker. A message says only that there may be work; the rows say what.

A thread of its own sends it, one in each process: a broker that is slow, frozen or gone keeps no request waiting.
"""

from __future__ import annotations

import atexit
import logging
import os
import time
from queue import Full, Queue
from threading import Thread

from kombu.exceptions import KombuError, OperationalError

from walletplatform.celery import app
from walletplatform.queues import PUBLISH_SECONDS, celery_queue

logger = logging.getLogger(__name__)
# A broker that did not answer is left alone for so long.
PATIENCE = 30.0
# So many unheard: more would say nothing more.
MOST_WAITING = 100
# The name of a task, its arguments, and the queue.
Message = tuple[str, list[str], str]
_deaf_until = 0.0


class _Bell:
    """The messages of one process, and the thread that gives them to the broker."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.waiting: Queue[Message] = Queue(MOST_WAITING)
        Thread(target=self._work, name="bell", daemon=True).start()
        # A command that ends at once is heard all the same.
        atexit.register(self._finish)

    def _work(self) -> None:
        while True:
            _send(*self.waiting.get())
            self.waiting.task_done()

    def _finish(self) -> None:
        deadline = time.monotonic() + PUBLISH_SECONDS
        while self.process == os.getpid() and self.waiting.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.01)


_bell: _Bell | None = None


def ring(queue: str) -> None:
    """Have a worker look at a queue, soon or not at all: then the sweep finds what is there."""
    tell("ops.tasks.run_jobs", [queue], queue)


def tell(task: str, arguments: list[str], queue: str) -> None:
    """Send a task to a queue, soon or not at all: only for what somebody else would find, too."""
    global _bell
    # A thread does not come along into a forked process.
    if _bell is None or _bell.process != os.getpid():
        _bell = _Bell()
    try:
        _bell.waiting.put_nowait((task, arguments, queue))
    except Full:
        logger.warning("The broker hears nothing; %s is left to the sweep", task)


def _send(task: str, arguments: list[str], queue: str) -> None:
    global _deaf_until
    if time.monotonic() < _deaf_until:
        return
    try:
        app.send_task(task, args=arguments, queue=celery_queue(queue), retry=False, confirm_timeout=PUBLISH_SECONDS)
    except (KombuError, OperationalError, OSError) as error:
        _deaf_until = time.monotonic() + PATIENCE
        logger.warning("No worker can be woken for %s; it is left to the sweep: %s", task, error)
    except Exception:  # the thread lives on, for the next
        logger.exception("No worker could be woken for %s", task)
