"""A payment whose web thread waits for it, and the moment from which nobody can say any more that it has not begun."""

from __future__ import annotations

import threading
from time import monotonic

from payments.commands import Command
from payments.state import Outcome
from walletplatform.api.problems import Problem


class Waiter:
    """
    A command on its way, and its answer once there is one.

    It may be begun, found not to be executed, put back, and begun again; its time counts from the first.
    ``gone`` is when nobody waits for it any more: then it is not begun.
    """

    __slots__ = ("_answered", "_begun", "_done", "_state", "command", "error", "gone", "outcome", "since", "until")

    def __init__(self, command: Command, patience: float) -> None:
        self.command = command
        self.since = monotonic()
        self.until = self.since + patience
        self.gone = False
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self._begun = False
        self._done = False
        self._state = threading.Lock()
        self._answered = threading.Lock()
        self._answered.acquire()

    def wait(self) -> Outcome:
        """
        Return the outcome.

        :raises Problem: ``deadline_exceeded`` where its time is over before it began, ``outcome_unknown``
            where it had begun by then
        """
        if not self._answered.acquire(timeout=max(self.until - monotonic(), 0)):
            self._give_up()
        if self.error is not None:
            raise self.error.with_traceback(None)
        assert self.outcome is not None
        return self.outcome

    def begin(self) -> bool:
        """Take it to be executed, unless nobody waits for it any more."""
        with self._state:
            if self.gone or monotonic() >= self.until:
                return False
            self._begun = True
            return True

    def put_back(self) -> None:
        """It was begun, and nothing of it was executed."""
        with self._state:
            self._begun = False

    def answer(self, outcome: Outcome) -> None:
        self._end(outcome, None)

    def fail(self, error: Exception) -> None:
        self._end(None, error)

    def _end(self, outcome: Outcome | None, error: Exception | None) -> None:
        with self._state:
            if self._done:
                return
            self._done, self.outcome, self.error = True, outcome, error
        self._answered.release()

    def _give_up(self) -> None:
        with self._state:
            self.gone = True  # so that nobody begins it
            if self._done:
                return
            if not self._begun:
                raise Problem("deadline_exceeded", "Its turn did not come in time. Nothing was executed.")
        raise Problem("outcome_unknown", "It has begun and is not done yet. The key will tell.")
