"""
``make bench ARGS=growth``: how the platform does as the ledger grows from 10,000 entries to 1,000,000.

Payments a second at both sizes, and the time of every list of the API at the larger one. Takes about
five minutes.
"""

from __future__ import annotations

import logging
import random
import statistics
import time
from datetime import timedelta
from uuid import UUID

from django.test import Client
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.world import CLIENT, make_world, move
from ledger.models import Entry
from payments.engine import execute
from walletplatform.identity.tokens import access_token

SMALL, LARGE = 10_000, 1_000_000
ROUNDS = 30


def main() -> None:
    console = Console()
    logging.disable(logging.INFO)
    wallets = make_world()
    chance = random.Random(5)
    _fill(wallets, chance, SMALL)
    before = _rate(wallets, chance)
    # A tenth of all goes from one wallet: its lists are the longest there are.
    _fill(wallets, chance, LARGE, progress=True)
    after = _rate(wallets, chance)
    console.print(f"Payments a second, batches of 100: {before:,.0f} at 10^4 entries, {after:,.0f} at 10^6")
    console.print(f"payment_rate_1e6_vs_1e4: {after / before:.2f}")
    _lists(console, wallets)


def _fill(wallets: list[UUID], chance: random.Random, entries: int, *, progress: bool = False) -> None:
    steps = range((entries - Entry.objects.count()) // 2000)
    for _ in track(steps, "Growing to a million entries") if progress else steps:
        sides = [chance.sample(wallets, 2) for _ in range(900)]
        sides += [[wallets[0], chance.choice(wallets[1:])] for _ in range(100)]
        execute([move(sender, receiver, "0.01") for sender, receiver in sides])


def _rate(wallets: list[UUID], chance: random.Random) -> float:
    """Median over batches of 100: what a checkpoint or a neighbour does to a few of them is left out."""
    seconds = []
    for _ in range(150):
        sides = [chance.sample(wallets[1:], 2) for _ in range(100)]
        commands = [move(sender, receiver, "0.01") for sender, receiver in sides]
        start = time.perf_counter()
        execute(commands)
        seconds.append(time.perf_counter() - start)
    return 100 / statistics.median(seconds)


def _lists(console: Console, wallets: list[UUID]) -> None:
    hot = wallets[0]
    middle = Entry.objects.filter(account_id=hot).order_by("seq")[10_000].transaction
    moment = middle.booked_at.isoformat().replace("+00:00", "Z")
    table = Table("list", "median ms", "p95 ms", title=f"Lists at {LARGE:,} entries, at the server")
    for path in (
        "/payments",
        "/payments?status=FAILED",
        "/payments?kind=bonus",
        "/payments?kind=transfer&status=SETTLED&limit=100",
        f"/payments?wallet_id={hot}",
        f"/payments?wallet_id={hot}&kind=topup",
        f"/payments?wallet_id={hot}&status=FAILED",
        f"/payments?created_to={moment}",
        f"/payments?wallet_id={hot}&created_to={moment}&limit=100",
        "/transactions",
        f"/transactions?wallet_id={hot}&kind=topup",
        "/wallets",
        "/wallets?status=SUSPENDED",
        f"/wallets/{hot}/entries?limit=100",
        f"/wallets/{hot}/transactions?limit=100",
        f"/wallets/{hot}/balance?at={moment}",
        f"/wallets/{hot}/statement?from={moment}&to={moment}",
    ):
        times = _times(path)
        table.add_row(path.replace(str(hot), "…")[:70], f"{statistics.median(times):.1f}", f"{times[-2]:.1f}")
    console.print(table)


def _times(path: str) -> list[float]:
    """Milliseconds of ``ROUNDS`` requests through the whole application, in rising order."""
    http = Client(
        SERVER_NAME="localhost",
        headers={"Authorization": "Bearer " + access_token(CLIENT, lifetime=timedelta(hours=1))},
    )
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        answer = http.get("/api/v1" + path)
        times.append((time.perf_counter() - start) * 1000)
        if answer.status_code != 200:
            raise RuntimeError(f"{path}: {answer.status_code}")
    return sorted(times)
