"""The folder that keeps everything between runs: data, ports, secrets, and the environment file."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import sys
import time
from pathlib import Path
from typing import IO, Any


class DataDir:
    """``DATA_DIR`` (default ``var/``): one instance of the platform."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.exists():
            path.mkdir(mode=0o700, parents=True)

    def lock(self) -> IO[str]:
        """Hold the folder for this process; the lock ends with it, however it ends."""
        handle = (self.path / "lock").open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(
                f"Another run is using {self.path}. Stop it first, or choose another folder: "
                "make run DATA_DIR=var/second PORT=8001"
            )
        return handle

    def secret(self, name: str) -> str:
        """Return a random text that stays the same for this folder."""
        return str(self._remembered("secrets.json", name, lambda: secrets.token_urlsafe(36)))

    def port(self, name: str, *, running: bool) -> int:
        """Return the port of a service: the one it had before, unless somebody else has it now."""
        port = int(self._remembered("ports.json", name, _free_port))
        # A server that was just killed leaves its port to its last children for a moment.
        deadline = time.monotonic() + 5
        while not running and taken(port) and time.monotonic() < deadline:
            time.sleep(0.1)
        if not running and taken(port):
            self._forget("ports.json", name)
            return self.port(name, running=False)
        return port

    def write_env(self, values: dict[str, str]) -> Path:
        """Write what ``manage.py`` in any shell needs to find the services."""
        path = self.path / "env"
        self._write(path, "".join(f"{name}={value}\n" for name, value in values.items()))
        return path

    def write_json(self, name: str, value: Any) -> Path:
        path = self.path / name
        self._write(path, json.dumps(value) + "\n")
        return path

    def read_json(self, name: str) -> Any:
        path = self.path / name
        return json.loads(path.read_text()) if path.exists() else None

    def forget(self, *names: str) -> None:
        for name in names:
            (self.path / name).unlink(missing_ok=True)

    def _remembered(self, file: str, name: str, make: Any) -> Any:
        known = self.read_json(file) or {}
        if name not in known:
            known[name] = make()
            self.write_json(file, known)
        return known[name]

    def _forget(self, file: str, name: str) -> None:
        known = self.read_json(file) or {}
        known.pop(name, None)
        self.write_json(file, known)

    def _write(self, path: Path, text: str) -> None:
        temporary = path.with_name(path.name + ".new")
        temporary.touch(mode=0o600)
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())  # a password that a crash takes away cannot be had again
        os.replace(temporary, path)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def taken(port: int) -> bool:
    """Whether somebody listens there. Asked before a server that would share its port with another starts."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
