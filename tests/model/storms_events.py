"""
Events under fire, while payments flow: whoever tells them is killed at random, brokers are cut off, frozen, restarted.

Nothing is lost, nothing invented, and each channel has the order that it promises.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from uuid import uuid4

from tests.conftest import ROOT
from tests.model.channels import Channels
from tests.model.history_platform import Arena, arena, at_once

# Of these and the relays two each, so that they are never alone.
PROCESSES = [["sequence"], ["consume"], ["webhooks"]]
WALLETS = 40
CLIENTS = 4
BATCH = 200
# What must not be had twice: a delivery made twice would be sent twice.
READ_MODELS = (
    "payment_figures", "settlement_totals", "open_holds", "failure_payments", "failure_clients", "webhook_deliveries",
)  # fmt: skip
CONSUMERS = ("figures", "holds", "settlement", "failures", "webhooks")
DRAIN_SECONDS = 300
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        channels = Channels(started)
        try:
            return run(started, channels, count, seed, progress)
        finally:
            channels.close()


def run(started: Arena, channels: Channels, count: int, seed: int, progress: Progress) -> list[str]:
    """Make ``count`` payments, with a kill for each 2,000 of them at least; return what was told otherwise."""
    wallets = [started.wallet("100000.00") for _ in range(WALLETS)]
    with _fire(started, channels, seed, kills=max(count // 2_000, 3)) as fire:
        _pay(started, wallets, count, seed, progress)
        fire.payments_made()
        faults = _drained(started, [*CONSUMERS, *(relay[-1] for relay in channels.relays)])
    faults += _verify(started)
    before = _read_models(started)
    told = _told(started)
    on_kafka, repeated = channels.faults_of_kafka(told, _seqs(started, wallets))
    elsewhere, again = channels.faults_of_the_rest(told)
    for _ in range(3):
        for name in CONSUMERS:
            _manage(started, "replay", name, "--from", "0")
    if _read_models(started) != before:
        faults.append("a replay from 0 changed a read model")
    for name in CONSUMERS:
        _manage(started, "replay", name, "--rebuild")
    if _read_models(started) != before:
        faults.append("a read model built anew is another")
    # The broker keeps nothing: what it lost is told again from the first event on.
    channels.empty_kafka()
    _manage(started, "relay", "kafka", "--rewind")
    _manage(started, "relay", "kafka", "--once")
    anew, _ = channels.faults_of_kafka(told, _seqs(started, wallets))
    harms = ", ".join(f"{harm} {times} times" for harm, times in sorted(channels.faults.items()))
    print(f"{fire.kills} kills, {harms}; {len(told)} events, {repeated + again} messages told again", flush=True)
    return faults + on_kafka + elsewhere + anew


class _Fire:
    """Processes that are killed and started again, and channels that are harmed now and then."""

    def __init__(self, started: Arena, channels: Channels, seed: int, wanted: int) -> None:
        self.started, self.channels, self.wanted = started, channels, wanted
        self.chance = Random(seed)
        self.kills = 0
        self.over = threading.Event()
        self.processes = [*PROCESSES, *channels.relays] * 2
        self.running = [self._start(arguments) for arguments in self.processes]

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=ROOT, env=self.started.platform.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def burn(self) -> None:
        while not self.over.is_set() or self.kills < self.wanted:
            time.sleep(self.chance.uniform(0.2, 1.2))
            place = self.chance.randrange(len(self.processes))
            self.running[place].kill()
            self.running[place].wait()
            self.kills += 1
            self.running[place] = self._start(self.processes[place])
            if self.chance.random() < 0.15:
                self.channels.disturb(self.chance)

    def payments_made(self) -> None:
        self.over.set()

    def end(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(30)


@contextmanager
def _fire(started: Arena, channels: Channels, seed: int, *, kills: int) -> Iterator[_Fire]:
    fire = _Fire(started, channels, seed, kills)
    burning = threading.Thread(target=fire.burn)
    burning.start()
    try:
        yield fire
    finally:
        fire.over.set()
        burning.join()
        fire.end()


def _pay(started: Arena, wallets: list[str], count: int, seed: int, progress: Progress) -> None:
    """Payments in batches, and among them single holds that are captured, voided or left."""
    paid = [0] * CLIENTS

    def client(number: int) -> None:
        caller, chance = started.caller(), Random(f"{seed}-{number}")
        while paid[number] < count // CLIENTS:
            payments = [_payment(chance, wallets) for _ in range(min(BATCH, count // CLIENTS - paid[number]))]
            body = json.dumps({"mode": "independent", "payments": payments}).encode()
            reply = caller.until_final("POST", "/payments/batch", body, key=uuid4().hex)
            assert reply.status == 200, reply
            paid[number] += len(payments)
            held = started.post("/payments", _hold(chance, wallets))["id"]
            if verb := chance.choice(["capture", "void", ""]):
                started.post(f"/payments/{held}/{verb}", {})
            progress(sum(paid))

    at_once(CLIENTS, client)


def _payment(chance: Random, wallets: list[str]) -> dict[str, str]:
    sender, receiver = chance.sample(wallets, 2)
    # Some fail: they are told, too.
    amount = "9999999.00" if chance.random() < 0.05 else f"{chance.randint(1, 500) / 100:.2f}"
    return {
        "idempotency_key": uuid4().hex, "sender_wallet_id": sender, "receiver_wallet_id": receiver, "amount": amount,
    }  # fmt: skip


def _hold(chance: Random, wallets: list[str]) -> dict[str, object]:
    sender, receiver = chance.sample(wallets, 2)
    return {"sender_wallet_id": sender, "receiver_wallet_id": receiver, "amount": "1.00", "capture": False}


def _drained(started: Arena, readers: list[str]) -> list[str]:
    """Wait until everybody has read everything."""
    deadline = time.monotonic() + DRAIN_SECONDS
    behind: object = None
    while time.monotonic() < deadline:
        behind = started.rows(
            """SELECT reader, coalesce(position, 0) FROM unnest(%s::text[]) AS wanted (reader)
                 LEFT JOIN event_cursors ON name = reader
                WHERE coalesce(position, 0) < (SELECT max(position) FROM events)
               UNION ALL SELECT 'outbox', count(*) FROM outbox_events HAVING count(*) > 0
               UNION ALL SELECT 'webhooks', count(*) FROM webhook_deliveries WHERE state = 'PENDING'
                         HAVING count(*) > 0""",
            readers,
        )
        if not behind:
            return []
        time.sleep(0.2)
    return [f"still behind after {DRAIN_SECONDS} s: {behind}"]


def _verify(started: Arena) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "manage.py", "verify_events"],
        cwd=ROOT, env=started.platform.env, text=True, capture_output=True, check=False,
    )  # fmt: skip
    return [] if done.returncode == 0 else [f"verify_events: {line}" for line in done.stdout.splitlines()[-8:]]


def _manage(started: Arena, *arguments: str) -> None:
    started.platform.manage(*arguments)


def _read_models(started: Arena) -> list[list[str]]:
    return [sorted(map(str, started.rows(f"SELECT * FROM {table}"))) for table in READ_MODELS]


def _told(started: Arena) -> list[bytes]:
    """Every event's bytes in the log's order, from a fresh process's own reading of the log."""
    lines = started.platform.manage("shell", "-v0", "-c", _TELL).splitlines()
    return [line.encode() for line in lines if line.startswith("{")]


_TELL = """
from events.envelope import envelope
from events.models import Event
for event in Event.objects.order_by("position").iterator():
    print(envelope(event).decode())
"""


def _seqs(started: Arena, wallets: list[str]) -> dict[str, int]:
    return dict(started.rows("SELECT id::text, seq FROM accounts WHERE id = ANY(%s::uuid[])", wallets))
