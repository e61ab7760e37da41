"""The stories behind ``make run``, ``make test`` and ``make bench``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psycopg

from walletplatform.embedded.data_dir import DataDir, taken
from walletplatform.embedded.roles import prepare_database, prepare_roles
from walletplatform.embedded.services import CONSOLE_LOGIN, DATABASE, DEMO_CLIENT, PREPARED, Services
from walletplatform.embedded.supervisor import Supervisor, platform

ROOT = Path(__file__).resolve().parent.parent.parent
DEMO_SCOPES = (
    "wallets:read,wallets:write,payments:read,payments:write,payments:backdate,treasury:write,"
    "users:token,events:read,webhooks:write,ops:read,ops:write"
)
# Parts of libraries that no page of ours uses; compressing them took half the time.
UNUSED_STATIC = ("redoc", "rest_framework")
Say = Callable[[str], None]


class Stopped(Exception):
    """SIGTERM or Ctrl-C arrived."""


def run(data_dir: DataDir, say: Say, arguments: Sequence[str]) -> int:
    """Set everything up, serve until told to stop, and put everything away."""
    port = int(os.environ.get("PORT") or 8000)
    # Asked first: the web server would share the port with another's, and each answer half of the requests.
    if taken(port):
        sys.exit(f"Port {port} is taken. Choose another: make run PORT={port + 1}")
    _on_signals(_raise_stopped)
    services = Services(data_dir, say)
    supervisor = None
    try:
        print("Setting up", flush=True)
        env = os.environ | services.start() | {"DATA_DIR": str(data_dir.path)}
        env["PROMETHEUS_MULTIPROC_DIR"] = str(_empty(data_dir.path / "metrics"))
        _prepare(data_dir, env, say, embedded=services.postgres is not None)
        if services.kafka:
            # Its memory begins empty: everything is told again.
            _manage(env, "relay", "kafka", "--rewind")
        logins = _logins(data_dir) if services.postgres else []
        print("Starting web, sequencer, consumers, webhooks, worker and beat", flush=True)
        supervisor = Supervisor(platform(port, relays=_relays(env)), env, say)
        _on_signals(supervisor.tell_to_stop)
        supervisor.start()
        if _is_ready(port, supervisor):
            _welcome(port, data_dir, logins)
        supervisor.watch()
    except Stopped:
        pass
    except subprocess.CalledProcessError as error:
        print(f"\nThis failed: {' '.join(error.cmd[1:])}\n{error.stdout or ''}{error.stderr or ''}")
        return 1
    except RuntimeError as error:
        print(f"\n{error}")
        return 1
    finally:
        _ignore_signals()
        print("\nStopping", flush=True)
        if supervisor:
            supervisor.stop()
        services.stop()
        print("Stopped", flush=True)
    return 0


def test(data_dir: DataDir, say: Say, arguments: Sequence[str]) -> int:
    """Run pytest against services of the tests' own, or against the server that is given."""
    command = [sys.executable, "-m", "pytest", *(arguments or ["-n", "3", "--dist", "loadgroup"])]
    return with_services(data_dir, say, command)


def bench(data_dir: DataDir, say: Say, arguments: Sequence[str]) -> int:
    """Run the benchmark on a database of its own."""
    return with_services(data_dir, say, [sys.executable, "-m", "bench", *arguments])


def with_services(data_dir: DataDir, say: Say, command: list[str]) -> int:
    _on_signals(_raise_stopped)
    services = Services(data_dir, say)
    process = None
    try:
        env = os.environ | services.start() | {"DATA_DIR": str(data_dir.path)}
        if "TEST_ADMIN_DATABASE_URL" not in env:
            env |= _given_server(data_dir, env)
        _collect_static(data_dir, env, say)
        # A session of its own: Ctrl-C comes to it once, from here, and its fixtures end what they started.
        process = subprocess.Popen(command, cwd=ROOT, env=env, start_new_session=True)
        return process.wait()
    except Stopped:
        if process:
            _interrupt(process)
        return 130
    finally:
        _ignore_signals()
        services.stop()


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _given_server(data_dir: DataDir, env: dict[str, str]) -> dict[str, str]:
    """Make a server that was given ready for tests: a superuser's URL is enough."""
    url = env["DATABASE_URL"]
    with psycopg.connect(url) as connection:
        (superuser,) = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() or (
            False,
        )
    if not superuser:
        if "DATABASE_OWNER_URL" not in env:
            sys.exit("Give DATABASE_OWNER_URL too (a role with CREATEDB), or a superuser's DATABASE_URL.")
        return {}
    owner, app = data_dir.secret("owner"), data_dir.secret("app")
    prepare_roles(url, owner_password=owner, app_password=app)
    prepare_database(url, name=DATABASE)
    make = psycopg.conninfo.make_conninfo
    parts = psycopg.conninfo.conninfo_to_dict(make(url))
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", "5432")
    return {
        "TEST_ADMIN_DATABASE_URL": url,
        "DATABASE_URL": f"postgresql://app:{app}@{host}:{port}/{DATABASE}",
        "DATABASE_OWNER_URL": f"postgresql://owner:{owner}@{host}:{port}/{DATABASE}",
    }


def _migrate(env: dict[str, str], say: Say) -> None:
    if "DATABASE_OWNER_URL" not in env:
        say("Migrations: left alone (no DATABASE_OWNER_URL)")
        return
    say("Migrations: applying")
    _manage(env, "migrate", "-v0")


def _prepare(data_dir: DataDir, env: dict[str, str], say: Say, *, embedded: bool) -> None:
    """Bring the database and the static files up to the code. A second run finds it done."""
    version = _version()
    if not embedded or data_dir.read_json(PREPARED) != version:
        _migrate(env, say)
        if embedded and env.get("ENVIRONMENT") != "production":
            _demo(data_dir, env, say)
        data_dir.write_json(PREPARED, version)
    _collect_static(data_dir, env, say)


def _collect_static(data_dir: DataDir, env: dict[str, str], say: Say) -> None:
    version = _version()
    if data_dir.read_json("collected.json") != version:
        say("Static files: collecting")
        ignored = [word for folder in UNUSED_STATIC for word in ("--ignore", folder)]
        _manage(env, "collectstatic", "--noinput", "-v0", *ignored)
        data_dir.write_json("collected.json", version)


def _version() -> str:
    """A name for the code as far as ``_prepare`` depends on it."""
    found = hashlib.sha256()
    apps = [module.parent for module in ROOT.glob("*/__init__.py")]
    for path in sorted(path for app in apps for path in app.rglob("*")):
        parts = path.relative_to(ROOT).parts
        # Not what Python compiles beside them: that appears with the first run.
        if path.is_file() and {"migrations", "static"} & set(parts) and "__pycache__" not in parts:
            found.update(path.read_bytes())
    for path in (ROOT / "requirements.txt", ROOT / "walletplatform" / "grants.py"):
        found.update(path.read_bytes())
    return found.hexdigest()


def _demo(data_dir: DataDir, env: dict[str, str], say: Say) -> None:
    """Fill an empty ledger with a story, and make the logins of the demo; once."""
    say("Demo data: looking")
    subprocess.run([sys.executable, "manage.py", "seed_demo", "--if-empty"], cwd=ROOT, env=env, check=True)
    if data_dir.read_json(DEMO_CLIENT) is None:
        answer = _manage(env, "create_client", "demo", "--scopes", DEMO_SCOPES, "--json")
        data_dir.write_json(DEMO_CLIENT, json.loads(answer))
    if data_dir.read_json(CONSOLE_LOGIN) is None:
        data_dir.write_json(CONSOLE_LOGIN, json.loads(_manage(env, "demo_staff")))


def _relays(env: dict[str, str]) -> list[str]:
    """The brokers that are there to be relayed to."""
    known = {"kafka": "KAFKA_BOOTSTRAP_SERVERS", "rabbitmq": "RABBITMQ_URL"}
    return [broker for broker, variable in known.items() if env.get(variable)]


def _logins(data_dir: DataDir) -> list[str]:
    staff = data_dir.read_json(CONSOLE_LOGIN)
    if not isinstance(staff, list):  # one of before there was a second factor, which its first login sets up
        staff = [staff] if staff else []
    if not staff:
        return []
    login = staff[0]
    return [
        f"Console login  {login['username']} / {login['password']}",
        f"  then a code  .venv/bin/python manage.py staff_code {login['username']}",
        f"Other roles    {data_dir.path / CONSOLE_LOGIN}",
        f"API client     {data_dir.path / DEMO_CLIENT}",
    ]


def _manage(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, check=True, text=True, capture_output=True
    )
    return done.stdout


def _is_ready(port: int, supervisor: Supervisor) -> bool:
    """Wait until the platform answers; False where it is told to stop before."""
    deadline = time.monotonic() + 60
    while not supervisor.stopping:
        if time.monotonic() > deadline:
            raise RuntimeError("The platform was not ready within a minute.")
        web = supervisor.children[0].process
        if web and web.poll() is not None:
            raise RuntimeError("The web server ended at once; its words above say why.")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/ready", timeout=5):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def _welcome(port: int, data_dir: DataDir, logins: list[str]) -> None:
    lines = [
        f"Console        http://127.0.0.1:{port}/admin/",
        f"API            http://127.0.0.1:{port}/api/v1/",
        f"API docs       http://127.0.0.1:{port}/api/v1/docs",
        *logins,
        f"Data           {data_dir.path}",
        "Stop           Ctrl-C",
    ]
    bar = "-" * max(map(len, lines))
    print("\n".join(["", bar, "The wallet platform is ready", "", *lines, bar, ""]), flush=True)


def _empty(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def _on_signals(react: Callable[[], None]) -> None:
    def stop(number: int, frame: FrameType | None) -> None:
        # Once: Ctrl-C reaches make and this process, which must not be told twice.
        _ignore_signals()
        react()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, stop)


def _raise_stopped() -> NoReturn:
    raise Stopped


def _ignore_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
