"""Two hundred clients on one wallet: each is paid, or told to come again; and they lose no time over it."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from tests.model.history_platform import Arena, Reply, arena, at_once

CLIENTS = 200
FEWER = 64
ROUNDS = 3
# Fewer payments than these are over too soon to tell how fast they were.
ENOUGH = 10_000
Progress = Callable[[int], None]


def prove(count: int, seed: int, progress: Progress) -> list[str]:
    with arena() as started:
        return run(started, count, progress, compare=count >= ENOUGH)


def run(started: Arena, count: int, progress: Progress, *, compare: bool) -> list[str]:
    """
    Send ``count`` payments from one wallet, in rounds; return what was answered otherwise.

    With ``compare``, rounds of fewer clients lie between, and the crowd must not be slower by a fifth.
    """
    wallets = [started.wallet("900000.00"), *(started.wallet() for _ in range(4))]
    found: list[str] = []
    rates: dict[int, list[float]] = {FEWER: [], CLIENTS: []}
    statuses: Counter[int] = Counter()
    for number in range(ROUNDS):
        for clients in (FEWER, CLIENTS) if compare else (CLIENTS,):
            replies, seconds = _crowd(started, wallets, clients, count // ROUNDS)
            rates[clients].append(sum(reply.status == 201 for reply in replies) / seconds)
            if clients == CLIENTS:
                found += [str(reply)[:300] for reply in replies if not _is_right(reply)]
                statuses.update(reply.status for reply in replies)
        progress(count * (number + 1) // ROUNDS)
    crowd, few = (sum(rates[clients]) / ROUNDS for clients in (CLIENTS, FEWER))
    print(f"{CLIENTS} clients on one wallet: {dict(statuses)}, {crowd:.0f} payments/s ({FEWER}: {few:.0f})", flush=True)
    if compare and crowd < 0.8 * few:
        found.append(f"{CLIENTS} clients: {crowd:.0f} payments/s, {FEWER}: {few:.0f}")
    paid = started.rows("SELECT -sum(balance - 90000000) FROM accounts WHERE id = %s", wallets[0])[0][0]
    arrived = started.rows("SELECT sum(balance) FROM accounts WHERE id = ANY(%s::uuid[])", wallets[1:])[0][0]
    return found + ([] if paid == arrived else [f"{paid} left, {arrived} arrived"])


def _is_right(reply: Reply) -> bool:
    return reply.status == 201 or (reply.status in (429, 503) and reply.says("Retry-After"))


def _crowd(started: Arena, wallets: list[str], clients: int, count: int) -> tuple[list[Reply], float]:
    """Pay from the first wallet, each client one after the other; every answer, and the seconds it took."""
    replies: list[Reply] = []
    each = max(count // clients, 1)

    def pay(number: int) -> None:
        caller = started.caller()
        receiver = wallets[1 + number % (len(wallets) - 1)]
        body = {"sender_wallet_id": wallets[0], "receiver_wallet_id": receiver, "amount": "0.01"}
        for _ in range(each):
            replies.append(caller.call("POST", "/payments", json.dumps(body).encode(), key=uuid4().hex))
        caller.close()

    began = time.monotonic()
    at_once(clients, pay)
    return replies, time.monotonic() - began
