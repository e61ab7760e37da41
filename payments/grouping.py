"""
Group commit: the payments of many requests in one batch, so that they share its round trips and commit.

Each web thread hands its command to a queue of its process and waits. One flusher thread takes whatever
has gathered as one batch and gives each waiter its answer; it starts as soon as it is free and never
waits to fill a batch. Nothing is acknowledged before its commit. What concerns one command only, an
error or a locked wallet, is kept from the others: they are tried again without it, and it by itself on
the side lane.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from time import monotonic

import psycopg
from django.conf import settings

from ledger.database import epoch
from payments.commands import Command
from payments.engine import TooMuch, execute
from payments.locked import what_is_locked
from payments.state import Outcome
from payments.statements import wallet_ids
from walletplatform.api.problems import Problem
from walletplatform.cache import replays
from walletplatform.cache.turns import turn
from walletplatform.observability import metrics

logger = logging.getLogger(__name__)

# A batch takes its accounts at once or learns soon which of them somebody else holds.
PATIENCE_MS = 250
MAX_BATCH = 500
SIDE_LANES = 2
# Alone, less than others wait for a wallet (a second): so one that takes too long holds up none of them.
WRITE_MS = 800
_WAITED = ("lock_timeout", "idempotency_in_progress")


def submit(command: Command) -> Outcome:
    """
    Execute a command in the next batch of this process; return its outcome.

    :raises Problem: as ``payments.engine.execute``; ``overloaded`` where too many wait already;
        ``deadline_exceeded`` where its turn did not come in time, so that it was not executed;
        ``outcome_unknown`` where it had begun by then
    """
    if not settings.GROUP_COMMIT:
        with turn(wallet_ids(command)):
            return execute([command])[0]
    return _group_of(os.getpid()).submit(command)


@lru_cache(maxsize=1)
def _group_of(pid: int) -> Group:
    group = Group(capacity=settings.GROUP_QUEUE_SIZE, patience=settings.GROUP_DEADLINE)
    group.start()
    return group


class _Waiter:
    """A command in the queue, and its answer once ``answered`` is released."""

    __slots__ = ("answered", "begun", "command", "error", "outcome", "since", "until")

    def __init__(self, command: Command, patience: float) -> None:
        self.command = command
        self.since = monotonic()
        self.until = self.since + patience
        self.begun = False
        self.outcome: Outcome | None = None
        self.error: Exception | None = None
        self.answered = threading.Lock()
        self.answered.acquire()

    def answer(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.answered.release()

    def fail(self, error: Exception) -> None:
        self.error = error
        self.answered.release()


class Group:
    """The queue, its flusher thread and its side lanes. ``patience`` is in seconds."""

    def __init__(self, *, capacity: int, patience: float) -> None:
        self.capacity = capacity
        self.patience = patience
        self.waiting: deque[_Waiter] = deque()
        self.changed = threading.Condition()
        self.side = ThreadPoolExecutor(SIDE_LANES, thread_name_prefix="side-lane")

    def start(self) -> None:
        """Start the flusher; what was submitted before waits for it."""
        threading.Thread(target=self._flush_for_ever, name="flusher", daemon=True).start()

    def submit(self, command: Command) -> Outcome:
        waiter = _Waiter(command, self.patience)
        with self.changed:
            if len(self.waiting) >= self.capacity:
                raise Problem("overloaded", "Too many payments wait already. Nothing was executed.")
            self.waiting.append(waiter)
            self.changed.notify()
        if not waiter.answered.acquire(timeout=self.patience):
            self._give_up(waiter)
        if waiter.error is not None:
            raise waiter.error.with_traceback(None)
        assert waiter.outcome is not None
        return waiter.outcome

    def _give_up(self, waiter: _Waiter) -> None:
        """
        Take a command back whose time is over.

        :raises Problem: ``deadline_exceeded``, or ``outcome_unknown`` where it has begun
        """
        with self.changed:
            if not waiter.begun:
                waiter.begun = True  # so that nobody begins it
                raise Problem("deadline_exceeded", "Its turn did not come in time. Nothing was executed.")
        raise Problem("outcome_unknown", "It has begun and is not done yet. The key will tell.")

    def _flush_for_ever(self) -> None:
        while True:
            with self.changed:
                while not self.waiting:
                    self.changed.wait()
                taken = [self.waiting.popleft() for _ in range(min(len(self.waiting), MAX_BATCH))]
                batch = [waiter for waiter in taken if self._begin(waiter)]
                metrics.GROUP_WAITING.set(len(self.waiting))
            try:
                self._flush(batch)
            except Exception as error:
                logger.exception("The flusher failed a batch")
                for waiter in batch:
                    if waiter.answered.locked() and waiter.outcome is None:
                        waiter.fail(error)

    def _begin(self, waiter: _Waiter) -> bool:
        """Mark a command as begun, unless its waiter has gone. Called under the lock."""
        if waiter.begun or monotonic() >= waiter.until:
            return False
        waiter.begun = True
        metrics.GROUP_QUEUED.observe(monotonic() - waiter.since)
        return True

    def _flush(self, batch: Sequence[_Waiter], *, again: bool = False) -> None:
        batch = batch if again else self._answer_known(batch)
        if not batch:
            return
        commands = [waiter.command for waiter in batch]
        try:
            outcomes = execute(commands, patience_ms=PATIENCE_MS)
        except Problem as problem:
            if isinstance(problem, TooMuch) and len(batch) > 1:
                self._aside(batch, "too_much")
            elif problem.code not in _WAITED:
                for waiter in batch:
                    waiter.fail(problem)
            elif again or len(batch) == 1:
                self._aside(batch, problem.code)
            else:
                self._without_locked(batch, problem.code)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is one command's)
            logger.warning("A batch of %s is tried one by one: %s", len(batch), error)
            self._aside(batch, type(error).__name__)
        else:
            for waiter, outcome in zip(batch, outcomes, strict=True):
                waiter.answer(outcome)
            self._remember(batch)

    def _answer_known(self, batch: Sequence[_Waiter]) -> list[_Waiter]:
        """Answer from Redis what was answered before, byte for byte; return the others."""
        known = replays.recall([waiter.command.scoped_key for waiter in batch], epoch=epoch())
        rest = []
        for waiter in batch:
            fingerprint, status, body = known.get(waiter.command.scoped_key, (b"", 0, b""))
            if fingerprint == waiter.command.fingerprint:
                metrics.REPLAYS.inc()
                waiter.answer(Outcome(status, body, "replayed", replayed=True))
            else:
                rest.append(waiter)
        return rest

    def _remember(self, batch: Sequence[_Waiter]) -> None:
        """Let Redis know what was kept under its key: successes and declines, committed by now."""
        kept = [
            (waiter.command.scoped_key, (waiter.command.fingerprint, outcome.status, outcome.body))
            for waiter in batch
            if (outcome := waiter.outcome) is not None and outcome.is_kept
        ]
        if kept:
            replays.remember(kept, epoch=epoch())

    def _without_locked(self, batch: Sequence[_Waiter], reason: str) -> None:
        """Put those aside whose wallets or keys somebody holds, and try the others again."""
        try:
            locked = what_is_locked([waiter.command for waiter in batch])
        except psycopg.OperationalError:  # the database has gone meanwhile: each finds out by itself
            locked = dict.fromkeys(range(len(batch)), "")
        self._aside([waiter for place, waiter in enumerate(batch) if place in locked], reason)
        rest = [waiter for place, waiter in enumerate(batch) if place not in locked]
        self._flush(rest, again=True)

    def _aside(self, batch: Sequence[_Waiter], reason: str) -> None:
        metrics.GROUP_ASIDE.labels(reason).inc(len(batch))
        for waiter in batch:
            self.side.submit(self._alone, waiter)

    def _alone(self, waiter: _Waiter) -> None:
        """Execute one command by itself: what happens to it is its own."""
        if monotonic() >= waiter.until:
            waiter.fail(Problem("deadline_exceeded", "Its turn did not come in time. Nothing was executed."))
            return
        try:
            waiter.answer(execute([waiter.command], write_ms=WRITE_MS)[0])
        except Exception as error:  # noqa: BLE001 (raised where the caller waits)
            waiter.fail(error)
