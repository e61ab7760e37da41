"""
Side lanes: where payments go that would hold up those they share a batch with.

What waits for one wallet, or one key, waits together in a lane, and is one batch when its turn comes; so
however many wait, a locked wallet takes one of the few side threads. As soon as it is to be had, the rest
of its lane goes back to the queue. Few may wait for one wallet, and few in all: each of them keeps a web
thread, and the others are needed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import psycopg

from ledger.database import epoch
from payments.engine import TooMuch, execute
from payments.state import Outcome
from payments.statements import account_ids
from payments.waiting import Waiter
from walletplatform.api.problems import Problem
from walletplatform.cache import replays
from walletplatform.observability import metrics

logger = logging.getLogger(__name__)

THREADS = 3
MAX_FOR_ONE = 16
MAX_IN_ALL = 32
# Alone, less than others wait for a wallet (a second): so one that takes too long holds up none of them.
WRITE_MS = 800
_WAITED = ("lock_timeout", "idempotency_in_progress")


@dataclass(slots=True)
class _Lane:
    waiting: list[Waiter] = field(default_factory=list)
    running: list[Waiter] = field(default_factory=list)

    def size(self) -> int:
        return len(self.running) + sum(not waiter.gone for waiter in self.waiting)


class Lanes:
    """The lanes of a process, by the account or key that is waited for. ``give_back`` takes what need not wait."""

    def __init__(self, give_back: Callable[[Waiter], None]) -> None:
        self.give_back = give_back
        self.lanes: dict[str, _Lane] = {}
        self.lock = threading.Lock()
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="side-lane")

    def join_open(self, waiter: Waiter) -> bool:
        """
        Let a payment wait where others wait already for its wallet or key; return whether they do.

        :raises Problem: as ``join``
        """
        if not self.lanes:
            return False
        for name in (_key(waiter), *map(str, account_ids(waiter.command))):
            with self.lock:
                if name in self.lanes:
                    self._enter(self.lanes[name], name, waiter)
                    return True
        return False

    def join(self, name: str, waiter: Waiter) -> None:
        """
        Let a payment wait for an account or key.

        :raises Problem: ``lock_timeout``, ``idempotency_in_progress`` or ``overloaded`` where too many wait
        """
        with self.lock:
            opened = name not in self.lanes
            lane = _Lane() if opened else self.lanes[name]
            self._enter(lane, name, waiter)
            if opened:
                self.lanes[name] = lane
                self.threads.submit(self._run, name)

    def alone(self, waiter: Waiter) -> None:
        """Execute a payment by itself: what happens to it is its own."""
        self.threads.submit(self._alone, waiter)

    def _enter(self, lane: _Lane, name: str, waiter: Waiter) -> None:
        if lane.size() >= MAX_FOR_ONE:
            raise _refusal(name, waiter)
        if sum(other.size() for other in self.lanes.values()) >= MAX_IN_ALL:
            raise Problem("overloaded", "Too many payments wait already. Nothing was executed.")
        lane.waiting.append(waiter)

    def _run(self, name: str) -> None:
        lane = self.lanes[name]
        with self.lock:
            lane.running, lane.waiting = [waiter for waiter in lane.waiting if waiter.begin()], []
        busy: Exception | None
        try:
            busy = execute_together(answer_known(lane.running), self.alone)
        except Exception as error:
            logger.exception("A side lane failed a batch")
            busy = error
        if busy is not None:
            self._end(name, lane.running, busy)
        with self.lock:
            lane.running = []
            again = bool(busy and lane.waiting)
            if not again:
                del self.lanes[name]
        if again:
            self.threads.submit(self._run, name)  # behind the other lanes
        else:
            for waiter in lane.waiting:
                self.give_back(waiter)

    def _end(self, name: str, batch: Sequence[Waiter], busy: Exception) -> None:
        """Tell those of a lane what they waited for in vain; where that was the key of one only, each finds out."""
        for waiter in batch:
            if getattr(busy, "code", "") == "idempotency_in_progress" and name != _key(waiter) and len(batch) > 1:
                waiter.put_back()
                self.alone(waiter)
            else:
                waiter.fail(busy)

    def _alone(self, waiter: Waiter) -> None:
        if not waiter.begin():
            return
        try:
            outcome = execute([waiter.command], write_ms=WRITE_MS)[0]
        except Exception as error:  # noqa: BLE001 (raised where the caller waits)
            waiter.fail(error)
        else:
            waiter.answer(outcome)
            _remember([waiter])


def execute_together(
    batch: Sequence[Waiter], alone: Callable[[Waiter], None], *, patience_ms: int = 0
) -> Problem | None:
    """
    Execute what was begun as one batch and answer it; what must be one command's fault sends each to ``alone``.

    Where they waited in vain for a wallet or key, return that problem; they are not answered then.
    """
    if not batch:
        return None
    try:
        outcomes = execute([waiter.command for waiter in batch], patience_ms=patience_ms)
    except Problem as problem:
        if problem.code in _WAITED:
            return problem
        if isinstance(problem, TooMuch) and len(batch) > 1:
            _part(batch, alone, problem, "too_much")
        else:
            for waiter in batch:
                waiter.fail(problem)
    except Exception as error:  # noqa: BLE001 (whatever it is, it is one command's)
        _part(batch, alone, error, type(error).__name__)
    else:
        for waiter, outcome in zip(batch, outcomes, strict=True):
            waiter.answer(outcome)
        _remember(batch)
    return None


def answer_known(batch: Sequence[Waiter]) -> list[Waiter]:
    """Answer from Redis what was answered before, byte for byte; return the others."""
    if not batch:
        return []
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


def _remember(batch: Sequence[Waiter]) -> None:
    """Let Redis know what was kept under its key: successes and declines, committed by now."""
    kept = [
        (waiter.command.scoped_key, (waiter.command.fingerprint, outcome.status, outcome.body))
        for waiter in batch
        if (outcome := waiter.outcome) is not None and outcome.is_kept
    ]
    if kept:
        replays.remember(kept, epoch=epoch())


def _part(batch: Sequence[Waiter], alone: Callable[[Waiter], None], error: Exception, reason: str) -> None:
    logger.warning("A batch of %s is tried one by one: %s", len(batch), error)
    metrics.GROUP_ASIDE.labels(reason).inc(len(batch))
    # What the server refused has been rolled back. Of any other error that is not as sure.
    refused = isinstance(error, TooMuch) or (isinstance(error, psycopg.Error) and error.sqlstate is not None)
    for waiter in batch:
        if refused:
            waiter.put_back()
        alone(waiter)


def _refusal(name: str, waiter: Waiter) -> Problem:
    if name == _key(waiter):
        return Problem("idempotency_in_progress", "A request with this key is being executed.")
    return Problem("lock_timeout", "The wallet is busy. Nothing was executed.")


def _key(waiter: Waiter) -> str:
    return f"{waiter.command.principal.id}{waiter.command.key}"
