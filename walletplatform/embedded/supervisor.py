"""Run the platform's processes as one: started together, restarted when one dies, stopped in order."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STOP_SECONDS = 15


@dataclass(slots=True)
class Child:
    """A process of the platform, and when it was started in the last minute."""

    name: str
    command: list[str]
    process: subprocess.Popen[str] | None = None
    starts: list[float] = field(default_factory=list)
    due: float = 0


class Supervisor:
    """Keeps ``children`` running until it is told to stop."""

    def __init__(self, children: list[Child], env: dict[str, str], say: Callable[[str], None]) -> None:
        self.children = children
        self.env = env
        self.say = say
        self.stopping = False

    def tell_to_stop(self) -> None:
        """Only says so, and may therefore be called by a signal at any moment."""
        self.stopping = True

    def start(self) -> None:
        for child in self.children:
            self._start(child)

    def watch(self) -> None:
        """Restart what dies, until it is time to stop."""
        while not self.stopping:
            for child in self.children:
                if child.process and child.process.poll() is not None:
                    self._bury(child, child.process)
                if child.process is None and time.monotonic() >= child.due:
                    self._start(child)
            time.sleep(0.2)

    def stop(self) -> None:
        """Stop the children in their order: the web first, so that what it has taken is finished."""
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            if child.process is None:
                continue
            child.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(max(deadline - time.monotonic(), 1))
            _kill_group(child.process)

    def _start(self, child: Child) -> None:
        # A group of its own: Ctrl-C reaches the supervisor alone, which then stops them in order.
        child.process = subprocess.Popen(
            child.command, cwd=ROOT, env=self.env, text=True, start_new_session=True, preexec_fn=_end_with_parent,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        child.starts.append(time.monotonic())
        threading.Thread(target=_relay, args=(child.name, child.process), daemon=True).start()

    def _bury(self, child: Child, process: subprocess.Popen[str]) -> None:
        """End what a dead child left behind, and say when it is started again."""
        _kill_group(process)
        now = time.monotonic()
        child.starts = [start for start in child.starts if now - start < 60]
        # One that keeps dying is tried again at ever longer intervals.
        pause = min(2 ** len(child.starts) // 2, 30)
        child.process, child.due = None, now + pause
        self.say(f"{child.name} ended with {process.returncode}; starting it again" + (f" in {pause} s" * bool(pause)))


def _kill_group(process: subprocess.Popen[str]) -> None:
    """End a child and all that it started: web workers without their parent would go on serving."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """In a child: be told to stop when the supervisor is killed. Another run would share the port with it."""
    if _libc:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def platform(port: int, *, relays: Sequence[str] = ()) -> list[Child]:
    """The processes of the platform, in the order in which they stop; ``relays``: to these brokers."""
    python = sys.executable
    # Quiet, and without Celery's warning about root: on a developer's machine root may be all there is.
    celery = [python, "-W", "ignore", "-m", "celery", "-q", "-A", "walletplatform"]
    manage = [python, "-W", "ignore", "manage.py"]
    return [
        # Many threads: each only waits for its payment's batch, and what waits together commits together.
        Child(
            "web",
            [
                python, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port),
                "--workers", "2", "--blocking-threads", "64", "--respawn-failed-workers",
                "--workers-kill-timeout", "10", "--log-level", "warning", "walletplatform.wsgi:application",
            ],
        ),
        Child("sequencer", [*manage, "sequence"]),
        Child("consumers", [*manage, "consume"]),
        Child("webhooks", [*manage, "webhooks", "--lane", "proven"]),
        Child("others", [*manage, "webhooks", "--lane", "others"]),
        *(Child(broker, [*manage, "relay", broker]) for broker in relays),
        # It takes from every queue; two, so that one that waits for a mail server or a model holds up no other.
        Child("worker", [*celery, "worker", "--concurrency=2", "--loglevel=WARNING"]),
        Child("beat", [*celery, "beat", "--loglevel=WARNING", "--pidfile="]),
    ]  # fmt: skip


def _relay(name: str, process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        print(f"{name:>9} | {line}", end="", flush=True)
