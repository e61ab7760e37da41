"""A platform for a browser: the demo's story, its processes as they run, a mail server and a model's endpoint."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tests.conftest import ROOT
from tests.ops.endpoint import Endpoint
from tests.ops.mail_server import MailServer
from walletplatform.embedded.data_dir import DataDir, _free_port
from walletplatform.embedded.supervisor import Child, platform
from walletplatform.embedded.valkey import Valkey

# Of the platform's processes those that a page needs; what beat would wake, a test wakes itself.
NEEDED = ("web", "sequencer", "consumers", "worker")
START_SECONDS = 60


@dataclass(slots=True)
class World:
    """``name`` is its database; ``mail`` is where its mail arrives, and ``model`` tells its summaries."""

    name: str
    port: int
    env: dict[str, str]
    mail: MailServer
    model: Endpoint
    valkey: Valkey
    children: list[Child] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "manage.py", *arguments],
            cwd=ROOT, env=self.env, text=True, capture_output=True,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def do(self, job: str) -> None:
        """Have the worker do a job, as the schedule would; there is no sweep here that would find one unheard."""
        patient = "from ops.jobs import waking; waking.PUBLISH_SECONDS = 60"
        asked = f"from ops.jobs.queueing import enqueue; enqueue({job!r}, {{}})"
        self.manage("shell", "-v0", "-c", f"{patient}; {asked}")

    def start(self) -> None:
        for child in platform(self.port):
            if child.name in NEEDED:
                self._start(child)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise RuntimeError("the platform was not ready within a minute")
            time.sleep(0.1)

    def stop(self) -> None:
        for child in self.children:
            if child.process is not None:
                child.process.terminate()
        for child in self.children:
            if child.process is not None:
                child.process.wait(30)
        self.mail.close()
        self.model.close()
        self.valkey.stop()

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command, cwd=ROOT, env=self.env, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        self.children.append(child)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/healthz/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            return False


def make_world(name: str, folder: Path, *, payments: int, days: int) -> World:
    """Tell the demo's story in the database ``name``, which is there and empty; nothing runs yet."""
    mail, model = MailServer(), Endpoint()
    env = os.environ | {variable: _in_database(os.environ[variable], name) for variable in _URLS}
    # A Valkey of its own: other tests empty theirs.
    valkey = Valkey(DataDir(folder))
    valkey.start()
    env |= {"REDIS_URL": valkey.url(), "BROKER_URL": valkey.url(database=1)}
    world = World(name, 0, env, mail, model, valkey)
    # The demo itself sends no mail and asks no model.
    world.manage("seed_demo", f"--payments={payments}", f"--days={days}")
    world.port = _free_port()  # as late as can be: another may take it
    world.env |= {
        "PUBLIC_URL": world.address,
        "EMAIL_URL": f"smtp://127.0.0.1:{mail.port}",
        "AI_BASE_URL": model.url,
        "AI_API_KEY": "test",
    }
    return world


_URLS = ("DATABASE_URL", "DATABASE_OWNER_URL")


def _in_database(url: str, name: str) -> str:
    """The same server and role, another database."""
    parts = psycopg.conninfo.conninfo_to_dict(make_conninfo(url))
    role, password, host, port = (parts.get(key, "") for key in ("user", "password", "host", "port"))
    return f"postgresql://{role}:{password}@{host}:{port}/{name}"
