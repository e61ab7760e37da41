"""A platform that proofs may hurt: clients with connections kept alive, kills, flushes, and the sweeper."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import django
import psutil
import psycopg
from django.apps import apps

# Proofs are programs of their own, too: what the fault tests are made of needs Django.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "walletplatform.settings")
if not apps.ready:
    django.setup()

from tests.conftest import ROOT
from tests.faults.conftest import SCOPES, Platform, start_platform

RETRYABLE = frozenset({0, 429, 503, 504})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came; status 0 where the connection broke before there was one."""

    status: int
    head: bytes = b""
    body: bytes = b""

    @property
    def is_final(self) -> bool:
        """Whether there is no use in asking again. A 500 is final too: it is a bug, which no fault excuses."""
        return self.status not in RETRYABLE and b'"idempotency_in_progress"' not in self.body

    def says(self, header: str) -> bool:
        return f"\r\n{header.lower()}:".encode() in self.head.lower()


class Caller:
    """One connection to the API, kept alive and opened again when it breaks. For one thread."""

    def __init__(self, port: int, token: str, *, patience: float = 20) -> None:
        self.port = port
        self.token = token
        self.patience = patience
        self.socket: socket.socket | None = None

    def call(self, method: str, path: str, body: bytes = b"", *, key: str = "", request_id: str = "") -> Reply:
        lines = [
            f"{method} /api/v1{path} HTTP/1.1",
            "Host: 127.0.0.1",
            f"Authorization: Bearer {self.token}",
            f"Content-Length: {len(body)}",
        ]
        lines += ["Content-Type: application/json"] if body else []
        lines += [f"Idempotency-Key: {key}"] if key else []
        lines += [f"X-Request-ID: {request_id}"] if request_id else []
        try:
            return self._exchange("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        except (OSError, ValueError):
            self.close()
            return Reply(0)

    def _exchange(self, request: bytes) -> Reply:
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=self.patience)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        received = b""
        while (end := received.find(b"\r\n\r\n")) < 0:
            received += self._more()
        head = received[:end]
        lower = head.lower()
        place = lower.index(b"content-length:") + 15
        length = int(lower[place:].split(b"\r\n", 1)[0])
        while len(received) < end + 4 + length:
            received += self._more()
        if b"connection: close" in lower:
            self.close()
        return Reply(int(head[9:12]), head, received[end + 4 :])

    def _more(self) -> bytes:
        assert self.socket is not None
        part = self.socket.recv(65536)
        if not part:
            raise OSError("closed")
        return part

    def until_final(self, method: str, path: str, body: bytes = b"", *, key: str = "", request_id: str = "") -> Reply:
        """Send again until the answer is final, as a careful client would; the last one after two minutes."""
        deadline = time.monotonic() + 120
        while True:
            reply = self.call(method, path, body, key=key, request_id=request_id)
            if reply.is_final or time.monotonic() > deadline:
                return reply
            time.sleep(0.02)

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class Arena:
    """A platform of the proofs' own, with what they do to it. ``sessions`` go to its database as owner."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    def caller(self, port: int = 0) -> Caller:
        return Caller(port or self.platform.port, self.platform.token)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send what must succeed; its answer."""
        reply = self.caller().until_final("POST", path, json.dumps(body).encode(), key=uuid4().hex)
        assert reply.status in (200, 201, 202), reply
        return dict(json.loads(reply.body))

    def wallet(self, holding: str = "") -> str:
        body = json.dumps({"user_id": str(uuid4()), "asset": "EUR", "activate": True}).encode()
        reply = self.caller().until_final("POST", "/wallets", body, key=uuid4().hex)
        assert reply.status == 201, reply
        wallet = str(json.loads(reply.body)["id"])
        if holding:
            self.post("/topups", {"wallet_id": wallet, "amount": holding})
        return wallet

    def unfreeze(self, wallet: str) -> None:
        """Have a suspended wallet active again, as it is once two people have said so."""
        command = [sys.executable, "-W", "ignore", "-m", "tests.model.unfreezing", wallet]
        subprocess.run(command, cwd=ROOT, env=self.platform.env, check=True)

    def session(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.platform.env["DATABASE_OWNER_URL"])

    def rows(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.session() as session:
            return session.execute(sql, parameters).fetchall()

    def faults_of_the_ledger(self) -> list[str]:
        """What ``verify_ledger`` finds."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", "verify_ledger"],
            cwd=ROOT, env=self.platform.env, text=True, capture_output=True, check=False,
        )  # fmt: skip
        right = done.returncode == 0 and "The ledger is right." in done.stdout
        return [] if right else [f"verify_ledger: {line}" for line in (done.stdout + done.stderr).splitlines()[-8:]]

    def kill_a_worker(self) -> None:
        # The oldest: the server gives up on one that dies within 5.5 s of its start.
        with suppress(psutil.Error, ValueError):
            min(self.platform.workers(), key=lambda worker: worker.create_time()).kill()

    def kill_postgres(self) -> None:
        """Kill the server as a power cut would, and start it again."""
        postgres = self.platform.services.postgres
        assert postgres is not None
        with suppress(psutil.Error, OSError, ValueError):
            psutil.Process(postgres.pid()).kill()
        postgres.start()

    def set_clock(self, seconds: float) -> None:
        """Shift the platform's clock, as only the owner may."""
        with self.session() as session:
            session.execute("UPDATE ledger_clock SET shift = make_interval(secs => %s)", (seconds,))

    def flush_redis(self) -> None:
        valkey = self.platform.services.valkey
        assert valkey is not None
        valkey._client().flushall()

    @contextmanager
    def sweeping(self) -> Iterator[None]:
        """Sweep expired holds all the time, in a process of its own, as the platform's worker would."""
        sweeper = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.model.storms_sweeper"],
            cwd=ROOT, env=self.platform.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            yield
        finally:
            sweeper.terminate()
            sweeper.wait(10)

    def stop(self) -> None:
        self.platform.web.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.platform.web.wait(30)
        self.platform.services.stop()


@contextmanager
def arena() -> Iterator[Arena]:
    """Start a platform in a folder of its own, and take it away afterwards."""
    with tempfile.TemporaryDirectory(prefix="proof-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "static").mkdir()
        started = Arena(start_platform(Path(folder)))
        give_scopes(started)
        try:
            yield started
        finally:
            started.stop()


def give_scopes(started: Arena) -> None:
    """A client that may reverse too; the platform of the fault tests has one that may not."""
    scopes = SCOPES + ",ops:write"
    credentials = json.loads(started.platform.manage("create_client", "proof", "--scopes", scopes, "--json"))
    status, answer = started.platform.call("POST", "/auth/token", credentials)
    assert status == 200, answer
    started.platform.token = json.loads(answer)["access_token"]


def at_once(threads: int, work: Any) -> None:
    """Run ``work(number)`` in threads; raise what any of them raised."""
    failed: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 (raised again below)
            failed.append(error)

    running = [threading.Thread(target=guarded, args=(number,), daemon=True) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failed:
        raise failed[0]
