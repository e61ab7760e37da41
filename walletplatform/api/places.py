"""Few at once: what keeps a web thread for long has places of its own, half of them for one caller."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from walletplatform.api.problems import Problem


class Places:
    """
    ``total`` places in this process.

    As many may wait for one, half of them of one caller, for ``patience`` seconds; none where that is 0.
    """

    def __init__(self, total: int, *, patience: float = 0.0) -> None:
        self.total = total
        self.each = max(total // 2, 1)
        self.patience = patience
        self.taken: Counter[UUID] = Counter()
        self.waiting: Counter[UUID] = Counter()
        self.changed = threading.Condition()

    @contextmanager
    def place(self, caller: UUID) -> Iterator[None]:
        """
        Keep a place for as long as this lasts.

        :raises Problem: as ``take``
        """
        self.take(caller)
        try:
            yield
        finally:
            self.give_back(caller)

    def take(self, caller: UUID) -> None:
        """
        Take a place, to be given back.

        :raises Problem: ``overloaded``, at once where none can be waited for
        """
        with self.changed:
            if not self._leaves_room(self.taken, caller) and not self._waited(caller):
                raise Problem("overloaded", "Too many of these at once. Nothing was executed.")
            self.taken[caller] += 1

    def give_back(self, caller: UUID) -> None:
        with self.changed:
            self.taken = self.taken - Counter([caller])
            self.changed.notify_all()

    def _waited(self, caller: UUID) -> bool:
        """Wait for a place; False where none became free in time, or as many wait as may."""
        if not self.patience or not self._leaves_room(self.waiting, caller):
            return False
        self.waiting[caller] += 1
        try:
            return self.changed.wait_for(lambda: self._leaves_room(self.taken, caller), self.patience)
        finally:
            self.waiting = self.waiting - Counter([caller])

    def _leaves_room(self, those: Counter[UUID], caller: UUID) -> bool:
        return those.total() < self.total and those[caller] < self.each
