"""A thousand sick receivers of webhooks beside a healthy one: it must not notice, and nobody gets inside."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import orjson

from tests.conftest import ROOT
from tests.events.receivers import Receiver
from tests.model.history_platform import Arena, arena

SICK = 1_000
# What else the machine does meanwhile, it does to both.
TURNS = 4
PAYMENTS_A_SECOND = 4
# Connected to by its number, this machine's own: an address that no webhook may reach, on which somebody listens.
INSIDE = "0.0.0.0"  # noqa: S104
PROCESSES = [["sequence"], ["consume", "webhooks"], ["webhooks", "--lane", "proven"], ["webhooks", "--lane", "others"]]
WORST_GROWTH = 1.10
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        return run(started, count, progress)


def run(started: Arena, count: int, progress: Progress) -> list[str]:
    """Pay ``count`` times without the sick and as often beside them, in turns; compare the healthy one's waits."""
    healthy, canary = Receiver(), Receiver()
    endpoint = started.post("/webhook-endpoints", {"url": healthy.url("/200"), "types": ["payment.settled"]})["id"]
    with _processes(started), _sick_server(canary) as port:
        _add_sick(started, endpoint, port, canary.server.server_port)
        alone: list[float] = []
        beside: list[float] = []
        for turn in range(TURNS):
            for place, (waits, sick) in enumerate(((alone, False), (beside, True))):
                _switch_sick(started, endpoint, enabled=sick)
                done = (2 * turn + place) * count // TURNS // 2
                waits += _pay(started, healthy, count // TURNS, lambda more, done=done: progress(done + more // 2))
        tried = dict(started.rows("SELECT coalesce(status::text, error), count(*) FROM webhook_attempts GROUP BY 1"))
    faults = [f"the canary was reached {len(canary.got)} times"] if canary.got else []
    growth = _p99(beside) / _p99(alone)
    if growth > WORST_GROWTH:
        faults.append(f"the healthy one waits {growth:.2f} times as long")
    print(
        f"{SICK} sick receivers, {sum(tried.values())} attempts; the healthy one's p99 from commit to arrival: "
        f"{_p99(alone) * 1000:.0f} ms alone, {_p99(beside) * 1000:.0f} ms beside them ({growth:.2f}); "
        f"medians {_median(alone) * 1000:.0f} and {_median(beside) * 1000:.0f} ms",
        flush=True,
    )
    healthy.close()
    canary.close()
    return faults


def _switch_sick(started: Arena, healthy: str, *, enabled: bool) -> None:
    with started.session() as session:
        session.execute("UPDATE webhook_endpoints SET enabled = %s WHERE id <> %s", (enabled, healthy))


def _pay(started: Arena, healthy: Receiver, count: int, progress: Progress) -> list[float]:
    """Pay at a steady rate; return for each payment the seconds from its commit to its arrival."""
    known, began = len(healthy.got), time.monotonic()
    ann, bob = started.wallet(f"{count}.00"), started.wallet()
    for number in range(count):
        time.sleep(max(began + number / PAYMENTS_A_SECOND - time.monotonic(), 0))
        started.post("/payments", {"sender_wallet_id": ann, "receiver_wallet_id": bob, "amount": "1.00"})
        progress(number + 1)
    deadline = time.monotonic() + 60
    # The top-up is told too.
    while len(healthy.got) < known + count + 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    waits = []
    for arrived, (_, _, body) in zip(healthy.times[known:], healthy.got[known:], strict=True):
        told = orjson.loads(body)
        if told["data"]["kind"] == "transfer":
            waits.append(arrived - datetime.fromisoformat(told["time"]).timestamp())
    assert len(waits) >= count, f"{len(waits)} of {count} arrived"
    return waits


def _add_sick(started: Arena, endpoint: str, port: int, canary: int) -> None:
    """Hanging, failing, redirecting inside, and leading inside themselves: past the checks of the API."""
    urls = {
        4: f"http://127.0.0.1:{port}/hang", 7: f"http://127.0.0.1:{port}/fail",
        9: f"http://127.0.0.1:{port}/redirect", 10: f"http://{INSIDE}:{canary}/200",
    }  # fmt: skip
    with started.session() as session:
        for number in range(SICK):
            url = next(url for tenths, url in urls.items() if number % 10 < tenths)
            session.execute(
                """INSERT INTO webhook_endpoints (id, client_id, url, description, types, secret, former_secret,
                                                  after, enabled, disabled_reason, failures, created_at)
                   SELECT gen_random_uuid(), client_id, %s, '', types, secret, '', after, true, '', 0, now()
                     FROM webhook_endpoints WHERE id = %s""",
                (url, endpoint),
            )


@contextmanager
def _processes(started: Arena) -> Iterator[None]:
    running = [
        subprocess.Popen([sys.executable, "-W", "ignore", "manage.py", *one], cwd=ROOT, env=started.platform.env)
        for one in PROCESSES
    ]
    try:
        # So that what they need to begin is no part of what is measured.
        time.sleep(8)
        yield
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)


@contextmanager
def _sick_server(canary: Receiver) -> Iterator[int]:
    """In a process of its own: it must not slow down the receiver that is measured here."""
    inside = f"http://{INSIDE}:{canary.server.server_port}/200"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.model.sick_server", inside], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def _p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)]


def _median(waits: list[float]) -> float:
    return sorted(waits)[len(waits) // 2]
