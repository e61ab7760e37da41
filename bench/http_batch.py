"""``POST /payments/batch`` under load: 1,000 payments a request, over two connections."""

from __future__ import annotations

import http.client
import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

from bench.http import PORT

CONNECTIONS = 2
ITEMS = 1000


def load(wallets: list[UUID], token: str, *, seconds: float) -> dict[str, float]:
    """Return payments a second; bodies are made before the clock starts, and read while it runs."""
    requests = max(2, int(seconds * 4))
    bodies = [[_body(wallets) for _ in range(requests)] for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        times = [one for found in threads.map(lambda own: _send(own, token, start + seconds), bodies) for one in found]
    taken = time.perf_counter() - start
    times.sort()
    return {
        "per_second": len(times) * ITEMS / taken,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[-1] * 1000,
    }


def _body(wallets: list[UUID]) -> str:
    items = [
        {
            "idempotency_key": str(uuid4()),
            "sender_wallet_id": str(sender),
            "receiver_wallet_id": str(receiver),
            "amount": "0.01",
        }
        for sender, receiver in (random.sample(wallets, 2) for _ in range(ITEMS))
    ]
    return json.dumps({"mode": "independent", "payments": items})


def _send(bodies: list[str], token: str, until: float) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    times = []
    for body in bodies:
        if time.perf_counter() >= until:
            break
        start = time.perf_counter()
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Idempotency-Key": str(uuid4()),
        }
        connection.request("POST", "/api/v1/payments/batch", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a batch was answered {answer.status}: {content[:200]!r}")
        times.append(time.perf_counter() - start)
    return times
