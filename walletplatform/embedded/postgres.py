"""An embedded PostgreSQL server: made once, started and stopped at will, durable in between."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import psutil

from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.unprivileged import Runner, runner

# What a ledger needs (fsync, full_page_writes, synchronous_commit) is on by default and stays on.
CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
max_wal_size = 2GB
timezone = 'UTC'
log_timezone = 'UTC'
shared_preload_libraries = 'pg_stat_statements'
"""
START_SECONDS = 60
# So long after a kill the last process of the old server may still hold its memory.
CRASH_SECONDS = 10


class Postgres:
    """The server whose data is in ``DATA_DIR/postgres``."""

    def __init__(self, data_dir: DataDir) -> None:
        self.data_dir = data_dir
        self.runner: Runner = runner(data_dir.path / "postgres")
        self.data = self.runner.data
        self.password = data_dir.secret("postgres")

    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    def start(self) -> None:
        """Start the server where it is not running; returns when it takes connections."""
        if not self.exists():
            self._create()
        began = time.monotonic()
        while not self.is_running():
            alive = self._process() is not None  # started by somebody, and recovering
            if time.monotonic() - began > (START_SECONDS if alive else CRASH_SECONDS):
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log_tail()}")
            if alive or not self._launch():
                time.sleep(0.2)

    def stop(self) -> None:
        """Stop the server, ending its sessions; nothing committed is lost."""
        if self._process() is not None:
            self.runner.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", 60, "stop")

    def is_running(self) -> bool:
        if self._process() is None:
            return False
        port = self.data_dir.port("postgres", running=True)
        try:
            self.runner.run("pg_isready", "-h", "127.0.0.1", "-p", port, "-t", 3)
        except subprocess.CalledProcessError:
            return False
        return True

    def _process(self) -> psutil.Process | None:
        """The postmaster, if it lives. After a crash its file may name a stranger's process by now."""
        try:
            process = psutil.Process(self.pid())
            # The command line names the data, and unlike the rest may be read by root without CAP_SYS_PTRACE.
            command = process.cmdline()
            return process if os.path.samefile(command[command.index("-D") + 1], self.data) else None
        except (OSError, ValueError, IndexError, psutil.Error):
            return None

    def _launch(self) -> bool:
        """Try to start the server; False where something, as what a crash left, is in the way."""
        self._forget_stranger()
        port = self.data_dir.port("postgres", running=False)
        try:
            self.runner.run(
                "pg_ctl", "-D", self.data, "-l", self._log, "-o", f"-p {port}", "-w", "-t", START_SECONDS, "start"
            )
        except subprocess.CalledProcessError:
            return False
        return True

    def _forget_stranger(self) -> None:
        # PostgreSQL would take whoever has the number now for a server, and refuse to start.
        with contextlib.suppress(OSError, ValueError, IndexError):
            if psutil.pid_exists(self.pid()) and self._process() is None:
                (self.data / "postmaster.pid").unlink()

    def pid(self) -> int:
        """The postmaster's process id."""
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def url(self, *, role: str = "postgres", password: str | None = None, database: str = "postgres") -> str:
        port = self.data_dir.port("postgres", running=True)
        return f"postgresql://{role}:{quote(password or self.password)}@127.0.0.1:{port}/{database}"

    @property
    def _log(self) -> Path:
        return self.data.parent / "postgres.log"

    def _log_tail(self) -> str:
        return "\n".join(self._log.read_text().splitlines()[-8:]) if self._log.exists() else ""

    def _create(self) -> None:
        password = self.data.parent / "postgres.password"
        password.touch(mode=0o600)
        password.write_text(self.password)
        if self.runner.user is not None:
            os.chown(password, self.runner.user, self.runner.user)
        # Made beside its place, and moved there when it is whole: an end half-way leaves nothing to trip over.
        new = self.data.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        try:
            self.runner.run(
                "initdb", "-D", new, "-U", "postgres", f"--pwfile={password}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums",
            )  # fmt: skip
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"PostgreSQL's data could not be made:\n{error.stderr}") from error
        finally:
            password.unlink()
        with (new / "postgresql.conf").open("a") as configuration:
            configuration.write(CONFIGURATION)
        shutil.rmtree(self.data, ignore_errors=True)  # without PG_VERSION there was nothing in it
        new.rename(self.data)
