"""A RabbitMQ node of the tests' own, from Debian's package: it may be stopped, frozen and killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

PROGRAMS = Path("/usr/lib/rabbitmq/bin")
START_SECONDS = 60


class Rabbit:
    """``folder`` keeps what the node keeps; a node that is started again there has it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, dist, epmd = (_free_port() for _ in range(3))
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.env = os.environ | {
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"tests{os.getpid()}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(dist),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        }
        (folder / "plugins").write_text("[].\n")
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        # A session of its own, so that all of its processes can be ended and no others.
        self.process = subprocess.Popen(
            [PROGRAMS / "rabbitmq-server"], env=self.env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"RabbitMQ did not start; see {self.folder / 'log'}")
            time.sleep(0.2)

    def tell(self, number: signal.Signals) -> None:
        assert self.process
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.tell(signal.SIGKILL)
        assert self.process
        self.process.wait(10)

    def close(self) -> None:
        """End it for good, and the port mapper that it has started."""
        self.kill()
        epmd = ["epmd", "-port", self.env["ERL_EPMD_PORT"], "-kill"]
        deadline = time.monotonic() + 10
        # It notices a little later that nobody is there any more.
        while b"Killed" not in subprocess.run(epmd, capture_output=True, check=False).stdout:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with Connection(self.url, connect_timeout=2) as connection:
                connection.connect()
        except OSError:
            return False
        return True


class Queue:
    """A queue bound to the events' exchange, as a client of ours would have one."""

    def __init__(self, rabbit: Rabbit, binding: str) -> None:
        self.rabbit, self.name = rabbit, f"tests.{binding}"
        with Connection(rabbit.url) as connection:
            channel: Any = connection.channel()
            channel.exchange_declare("walletplatform.events", "topic", durable=True, auto_delete=False)
            channel.queue_declare(self.name, durable=True, auto_delete=False)
            channel.queue_purge(self.name)
            channel.queue_bind(self.name, "walletplatform.events", binding)

    def take_all(self) -> list[Any]:
        """Return what is in it, in its order, and empty it."""
        found = []
        with Connection(self.rabbit.url) as connection:
            channel: Any = connection.channel()
            while (message := channel.basic_get(self.name, no_ack=True)) is not None:
                found.append(message)
        return found


def rabbit_or_skip(folder: Path) -> Rabbit:
    """A node that runs; on a developer's machine without RabbitMQ the test is skipped, in CI it fails."""
    if not PROGRAMS.exists() and not os.environ.get("CI"):
        pytest.skip("RabbitMQ is not installed (Debian: rabbitmq-server)")
    started = Rabbit(folder)
    started.start()
    return started


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
