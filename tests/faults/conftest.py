"""A platform of its own for each module: PostgreSQL, Valkey and web processes that may be killed."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.conftest import ROOT
from walletplatform.embedded.data_dir import DataDir, _free_port
from walletplatform.embedded.services import Services
from walletplatform.embedded.supervisor import platform

# The services of the tests at large, which this platform must not use.
GIVEN = ["DATABASE_URL", "DATABASE_OWNER_URL", "TEST_ADMIN_DATABASE_URL", "REDIS_URL", "BROKER_URL"]
# In one process: each takes a while to start.
SET_UP = """
from django.core.management import call_command
from tests.faults.conftest import SCOPES
call_command("migrate", verbosity=0)
call_command("create_asset", "EUR", "--name=Euro", "--kind=fiat", "--scale=2")
call_command("create_client", "load", "--scopes", SCOPES, "--json")
"""
SCOPES = "wallets:read,wallets:write,payments:read,payments:write,treasury:write,webhooks:write,events:read,ops:write"


@dataclass(slots=True)
class Platform:
    """Services and web processes, and a client of the API that asks again until it knows."""

    services: Services
    env: dict[str, str]
    port: int
    web: subprocess.Popen[bytes]
    token: str = ""
    statuses: list[int] = field(default_factory=list)

    def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> tuple[int, bytes]:
        """One request; status 0 where the connection broke."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            | ({"Idempotency-Key": key} if key else {}),
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()
        except (urllib.error.URLError, OSError, http.client.HTTPException):
            return 0, b""

    def until_known(self, path: str, body: Any = None, *, key: str, method: str = "POST") -> tuple[int, bytes]:
        """Send a request with its key until the answer is final, as a careful client would."""
        deadline = time.monotonic() + 60
        while True:
            status, answer = self.call(method, path, body, key=key)
            self.statuses.append(status)
            if status and not json.loads(answer).get("retryable"):
                return status, answer
            if time.monotonic() > deadline:
                raise AssertionError(f"no final answer in a minute: {status} {answer!r}")
            time.sleep(0.05)

    def wallet(self, holding: str = "") -> str:
        opened = {"user_id": str(uuid4()), "asset": "EUR", "activate": True}
        _, answer = self.until_known("/wallets", opened, key=uuid4().hex)
        wallet = str(json.loads(answer)["id"])
        if holding:
            self.until_known("/topups", {"wallet_id": wallet, "amount": holding}, key=uuid4().hex)
        return wallet

    def balance(self, wallet: str) -> str:
        _, answer = self.until_known(f"/wallets/{wallet}/balance", key="", method="GET")
        return str(json.loads(answer)["balance"])

    def manage(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            check=True,
            text=True,
            capture_output=True,
        ).stdout

    def workers(self) -> list[psutil.Process]:
        """The web worker processes, which hold the money path."""
        return [
            child
            for child in psutil.Process(self.web.pid).children(recursive=True)
            if child.status() != psutil.STATUS_ZOMBIE and "resource_tracker" not in " ".join(child.cmdline())
        ]

    def under_load(self, wallets: list[str], disturb: Any, *, threads: int = 8) -> dict[str, tuple[int, bytes]]:
        """Pay 1.00 from the first wallet to the others until ``disturb`` has ended; every key's answer."""
        ended = threading.Event()
        answers: dict[str, tuple[int, bytes]] = {}

        def pay(place: int) -> None:
            while not ended.is_set():
                key = uuid4().hex
                body = {
                    "sender_wallet_id": wallets[0],
                    "receiver_wallet_id": wallets[1 + place % (len(wallets) - 1)],
                    "amount": "1.00",
                }
                answers[key] = self.until_known("/payments", body, key=key)

        with ThreadPoolExecutor(threads) as pool:
            paying = [pool.submit(pay, place) for place in range(threads)]
            try:
                disturb()
            finally:
                ended.set()
            for one in paying:
                one.result()
        return answers


def start_platform(folder: Path) -> Platform:
    data_dir = DataDir(folder)
    given = {name: os.environ.pop(name, None) for name in GIVEN}
    try:
        services = Services(data_dir, lambda text: None)
        found = services.start()
    finally:
        os.environ.update({name: value for name, value in given.items() if value is not None})
    env = os.environ | found | {"DATA_DIR": str(folder), "PAYMENT_POLICY": "tests.payments.policies.by_metadata"}
    platform_under_test = Platform(services, env, _free_port(), None)  # type: ignore[arg-type]
    credentials = json.loads(platform_under_test.manage("shell", "-v0", "-c", SET_UP).splitlines()[-1])
    platform_under_test.web = subprocess.Popen(
        _with_four_workers(platform(platform_under_test.port)[0].command), cwd=ROOT, env=env, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    while not platform_under_test.token:
        status, answer = platform_under_test.call("POST", "/auth/token", credentials)
        if status == 200:
            platform_under_test.token = json.loads(answer)["access_token"]
        time.sleep(0.1)
    return platform_under_test


def _with_four_workers(command: list[str]) -> list[str]:
    place = command.index("--workers") + 1
    return [*command[:place], "4", *command[place + 1 :]]


@pytest.fixture(scope="package")
def own_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = start_platform(tmp_path_factory.mktemp("platform"))
    yield running
    running.web.send_signal(signal.SIGTERM)
    running.web.wait(30)
    running.services.stop()
