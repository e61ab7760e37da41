"""Celery workers and beats as processes, a mail server that takes its time, and this process at another broker."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from aiosmtpd.controller import Controller

from tests.conftest import ROOT
from tests.ops.jobs_tried import address
from walletplatform.celery import app
from walletplatform.embedded.data_dir import _free_port
from walletplatform.queues import queues, transport_options


def until(done: Callable[[], Any], *, seconds: float = 150) -> Any:
    """Ask again and again until the answer is a true one, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := done()):
        assert time.monotonic() < deadline, "that took too long"
        time.sleep(0.05)
    return answer


class Process:
    """A worker or beat in a group of its own, of which nothing stays when it is killed."""

    def __init__(self, *arguments: str, env: dict[str, str]) -> None:
        command = [sys.executable, "-W", "ignore", "-m", "celery", "-q", "-A", "walletplatform", *arguments]
        environment = os.environ | {"DATABASE_URL": address()} | env
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def worker(env: dict[str, str], *, concurrency: int = 4) -> Process:
    return Process(
        "worker", f"--concurrency={concurrency}", "--loglevel=CRITICAL", "--without-gossip", "--without-mingle",
        "--without-heartbeat", "-I", "tests.ops.jobs_tried", env=env,
    )  # fmt: skip


def beat(env: dict[str, str]) -> Process:
    return Process("beat", "--loglevel=CRITICAL", "--pidfile=", "--max-interval=1", env=env)


@contextlib.contextmanager
def at_broker(url: str, settings: Any) -> Iterator[None]:
    """Within it this process rings at another broker."""
    before = {name: app.conf[name] for name in ("broker_url", "task_queues", "broker_transport_options")}
    settings.CELERY_BROKER_URL = url
    _use({"broker_url": url, "task_queues": queues(url), "broker_transport_options": transport_options(url)})
    try:
        yield
    finally:
        _use(before)


def _use(configuration: dict[str, Any]) -> None:
    app.conf.update(configuration)
    app._pool = None
    app.__dict__.pop("amqp", None)


class MailServer:
    """Takes mails while ``open``; until then whoever brings one waits."""

    def __init__(self) -> None:
        self.open, self.brought, self.taken = False, 0, []
        self.port = _free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.brought += 1
        while not self.open:
            await asyncio.sleep(0.02)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        headers = envelope.content.decode().splitlines()
        self.taken += [line.split("<")[1].split("@")[0] for line in headers if line.lower().startswith("message-id:")]
        return "250 OK"

    def close(self) -> None:
        self._controller.stop()
