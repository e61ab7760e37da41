"""
Group commit: the payments of many requests in one batch, so that they share its round trips and commit.

Each web thread hands its command to a queue of its process and waits. One flusher thread takes whatever
has gathered as one batch and gives each waiter its answer; it starts as soon as it is free and never
waits to fill a batch. Nothing is acknowledged before its commit. What concerns one command only, an
error or a locked wallet, is kept from the others: they are tried again without it, and it goes to the
side lanes (``payments.lanes``).
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from time import monotonic

import psycopg
from django.conf import settings

from payments.commands import Command
from payments.engine import execute
from payments.lanes import Lanes, answer_known, execute_together
from payments.locked import what_is_locked
from payments.state import Outcome
from payments.statements import account_ids
from payments.waiting import Waiter
from walletplatform.api.problems import Problem
from walletplatform.cache.turns import turn
from walletplatform.observability import metrics

logger = logging.getLogger(__name__)

# A batch takes its accounts at once or learns soon which of them somebody else holds.
PATIENCE_MS = 250
MAX_BATCH = 500


def submit(command: Command) -> Outcome:
    """
    Execute a command in the next batch of this process; return its outcome.

    :raises Problem: as ``payments.engine.execute``; ``overloaded`` where too many wait already;
        ``deadline_exceeded`` where its turn did not come in time, so that it was not executed;
        ``outcome_unknown`` where it had begun by then
    """
    if not settings.GROUP_COMMIT:
        with turn(account_ids(command)):
            return execute([command])[0]
    return _group_of(os.getpid()).submit(command)


@lru_cache(maxsize=1)
def _group_of(pid: int) -> Group:
    group = Group(capacity=settings.GROUP_QUEUE_SIZE, patience=settings.GROUP_DEADLINE)
    group.start()
    return group


class Group:
    """The queue, its flusher thread and its side lanes. ``patience`` is in seconds."""

    def __init__(self, *, capacity: int, patience: float) -> None:
        self.capacity = capacity
        self.patience = patience
        self.waiting: deque[Waiter] = deque()
        self.changed = threading.Condition()
        self.lanes = Lanes(self._queue)

    def start(self) -> None:
        """Start the flusher; what was submitted before waits for it."""
        threading.Thread(target=self._flush_for_ever, name="flusher", daemon=True).start()

    def submit(self, command: Command) -> Outcome:
        waiter = Waiter(command, self.patience)
        if not self.lanes.join_open(waiter):
            with self.changed:
                if len(self.waiting) >= self.capacity:
                    raise Problem("overloaded", "Too many payments wait already. Nothing was executed.")
                self._queue(waiter)
        try:
            return waiter.wait()
        finally:
            if waiter.gone:
                self._forget(waiter)

    def _queue(self, waiter: Waiter) -> None:
        with self.changed:
            self.waiting.append(waiter)
            self.changed.notify()

    def _forget(self, waiter: Waiter) -> None:
        """Make room in the queue: its time is over."""
        with self.changed:
            if waiter in self.waiting:
                self.waiting.remove(waiter)

    def _flush_for_ever(self) -> None:
        while True:
            with self.changed:
                while not self.waiting:
                    self.changed.wait()
                taken = [self.waiting.popleft() for _ in range(min(len(self.waiting), MAX_BATCH))]
                metrics.GROUP_WAITING.set(len(self.waiting))
            batch = [waiter for waiter in taken if waiter.begin()]
            for waiter in batch:
                metrics.GROUP_QUEUED.observe(monotonic() - waiter.since)
            try:
                self._flush(answer_known(batch))
            except Exception as error:
                logger.exception("The flusher failed a batch")
                for waiter in batch:
                    waiter.fail(error)

    def _flush(self, batch: Sequence[Waiter]) -> None:
        """Execute a batch; where it waits in vain, once more without those that it waited for."""
        for _ in range(2):
            busy = execute_together(batch, self.lanes.alone, patience_ms=PATIENCE_MS)
            if busy is None:
                return
            batch = self._without_locked(batch, busy.code)
        metrics.GROUP_ASIDE.labels("again").inc(len(batch))
        for waiter in batch:
            waiter.put_back()
            self.lanes.alone(waiter)

    def _without_locked(self, batch: Sequence[Waiter], reason: str) -> list[Waiter]:
        """Put those aside whose wallets or keys somebody holds; return the others."""
        try:
            locked = what_is_locked([waiter.command for waiter in batch])
        except psycopg.OperationalError:  # the database has gone meanwhile: the next try finds out
            locked = {}
        metrics.GROUP_ASIDE.labels(reason).inc(len(locked))
        for place, name in locked.items():
            batch[place].put_back()
            try:
                self.lanes.join(name, batch[place])
            except Problem as problem:
                batch[place].fail(problem)
        return [waiter for place, waiter in enumerate(batch) if place not in locked]
