"""The API under load from a process of its own: keep-alive connections, unique keys, valid tokens."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from uuid import UUID, uuid4

import psutil

PORT = 8790


def serve() -> subprocess.Popen[bytes]:
    """Start the web processes as ``make run`` does, on the benchmark's database; wait until ready."""
    from bench.world import DATABASE
    from walletplatform.embedded.supervisor import platform

    url = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + "/" + DATABASE
    web = platform(PORT)[0]
    server = subprocess.Popen(
        web.command, env=os.environ | {"DATABASE_URL": url}, stdout=subprocess.DEVNULL, start_new_session=True
    )
    asyncio.run(_until_ready())
    return server


async def _until_ready() -> None:
    for _ in range(300):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(b"GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = await reader.readline()
            writer.close()
            if b" 200 " in status:
                return
        except OSError:
            pass
        await asyncio.sleep(0.1)
    raise RuntimeError("the web server was not ready in 30 s")


def load(
    wallets: list[UUID],
    token: str,
    *,
    connections: int,
    seconds: float,
    hot: bool,
    server: subprocess.Popen[bytes],
) -> dict[str, float]:
    """Return what a load of ``connections`` for ``seconds`` got: rate, percentiles, CPU by party."""
    work = {
        "wallets": [str(wallet) for wallet in wallets],
        "token": token,
        "connections": connections,
        "seconds": seconds,
        "hot": hot,
    }
    before = _cpu(server)
    done = subprocess.run(
        [sys.executable, "-m", "bench.http"],
        input=json.dumps(work),
        capture_output=True,
        text=True,
        check=True,
    )
    after = _cpu(server)
    result: dict[str, float] = json.loads(done.stdout)
    result["cpu_web"] = (after["web"] - before["web"]) / seconds
    result["cpu_database"] = (after["database"] - before["database"]) / seconds
    return result


def _cpu(server: subprocess.Popen[bytes]) -> dict[str, float]:
    """CPU seconds so far of the web processes and of PostgreSQL (counting sessions that still live)."""
    web = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    databases = [p for p in psutil.process_iter(["name"]) if p.info["name"] == "postgres"]
    return {"web": _seconds(web), "database": _seconds(databases)}


def _seconds(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            used = process.cpu_times()
            total += used.user + used.system
        except psutil.NoSuchProcess:
            continue
    return total


async def _connection(work: dict[str, object], until: float, times: list[float]) -> int:
    chance = random.Random()
    wallets = work["wallets"]
    assert isinstance(wallets, list)
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    head = (
        "POST /api/v1/payments HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {work['token']}\r\nIdempotency-Key: "
    )
    settled = 0
    while time.perf_counter() < until:
        sender, receiver = chance.sample(wallets[1:], 2)
        if work["hot"]:
            sender = wallets[0]
        body = f'{{"sender_wallet_id":"{sender}","receiver_wallet_id":"{receiver}","amount":"0.01"}}'
        request = f"{head}{uuid4()}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        start = time.perf_counter()
        writer.write(request.encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - start)
        settled += answer.startswith(b"HTTP/1.1 201")
    writer.close()
    return settled


async def _load(work: dict[str, object]) -> dict[str, float]:
    times: list[float] = []
    start = time.perf_counter()
    until = start + float(str(work["seconds"]))
    cpu = time.process_time()
    settled = await asyncio.gather(*(_connection(work, until, times) for _ in range(int(str(work["connections"])))))
    seconds = time.perf_counter() - start
    times.sort()
    return {
        "per_second": sum(settled) / seconds,
        "refused": len(times) - sum(settled),
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[int(len(times) * 0.99)] * 1000,
        "cpu_load": (time.process_time() - cpu) / seconds,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_load(json.loads(sys.stdin.read())))))
