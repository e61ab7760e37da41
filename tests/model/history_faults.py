"""What goes wrong while the clients run: killed web workers, a killed PostgreSQL, an emptied Redis."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from tests.model.history_platform import Arena

# A web server gives up on workers that die too soon after their start.
PAUSE = 2.0


@contextmanager
def faults(arena: Arena, *, seed: int, pause: float = PAUSE, clock: bool = False) -> Iterator[Counter[str]]:
    """
    Do one thing after the other to the platform, at random, until the clients are done; counts them.

    With ``clock`` the platform's clock is set forward and back too, by up to half a minute.
    """
    done: Counter[str] = Counter()
    ended = threading.Event()
    kinds = {"web workers killed": arena.kill_a_worker, "PostgreSQL killed": arena.kill_postgres}
    if clock:
        kinds["clock set"] = lambda: arena.set_clock(Random().uniform(-30, 30))

    def disturb() -> None:
        chance = Random(seed)
        while not ended.wait(pause * chance.uniform(0.5, 1.5)):
            for _ in range(5):
                arena.flush_redis()
            done["Redis flushed"] += 5
            name = chance.choice(list(kinds))
            kinds[name]()
            done[name] += 1

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    try:
        yield done
    finally:
        ended.set()
        disturbing.join()
