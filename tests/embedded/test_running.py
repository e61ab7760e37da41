"""``make run``, tried as a developer would: side by side, twice, killed, from awkward folders."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT
from tests.faults.conftest import GIVEN
from walletplatform.embedded.data_dir import DataDir, _free_port
from walletplatform.embedded.postgres import Postgres
from walletplatform.embedded.services import Services
from walletplatform.embedded.unprivileged import runner

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]


def clean_env(**more):
    return {name: value for name, value in os.environ.items() if name not in [*GIVEN, "DATA_DIR"]} | more


def start(folder: Path, port: int, *, root: Path = ROOT) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "walletplatform.embedded", "run"],
        cwd=root, env=clean_env(DATA_DIR=str(folder), PORT=str(port)), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait_until_ready(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.stdout.read()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/ready", timeout=5) as answer:
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("not ready")


def stop(process: subprocess.Popen[str]) -> str:
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    return output


def child(process: subprocess.Popen[str], word: str) -> psutil.Process:
    return next(one for one in psutil.Process(process.pid).children() if word in one.cmdline())


def name_in_pid_file(postgres: Postgres, pid: int, lines: list[str]) -> None:
    """What a crash leaves behind once its process id is somebody else's."""
    (postgres.data / "postmaster.pid").write_text("\n".join([str(pid), *lines[1:]]) + "\n")


def test_it_runs_twice_side_by_side_keeps_its_data_and_leaves_nothing_running(tmp_path):
    first, second = tmp_path / "with a space", tmp_path / ("deep" * 30)
    ports = [_free_port(), _free_port()]
    running = [start(folder, port) for folder, port in zip((first, second), ports, strict=True)]
    for process, port in zip(running, ports, strict=True):
        wait_until_ready(process, port)
    refused = subprocess.run(
        [sys.executable, "-m", "walletplatform.embedded", "run"],
        cwd=ROOT, env=clean_env(DATA_DIR=str(first), PORT="1"), text=True, capture_output=True, check=False,
    )  # fmt: skip
    port_refused = subprocess.run(
        [sys.executable, "-m", "walletplatform.embedded", "run"],
        cwd=ROOT, env=clean_env(DATA_DIR=str(tmp_path / "third"), PORT=str(ports[0])),
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    outputs = [stop(process) for process in running]

    assert refused.returncode == 1
    assert "Another run is using" in refused.stderr
    assert port_refused.returncode == 1
    assert f"Port {ports[0]} is taken" in port_refused.stderr
    for output, folder in zip(outputs, (first, second), strict=True):
        assert "The wallet platform is ready" in output
        assert str(folder / "demo-client.json") in output
        assert not (folder / "postgres" / "postmaster.pid").exists()

    again = start(first, ports[0])
    wait_until_ready(again, ports[0])
    credentials = json.loads((first / "demo-client.json").read_text())
    request = urllib.request.Request(
        f"http://127.0.0.1:{ports[0]}/api/v1/auth/token",
        data=json.dumps(credentials).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["token_type"] == "Bearer"

    server = child(again, "granian")
    workers = server.children(recursive=True)
    server.kill()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert alive == []
    wait_until_ready(again, ports[0])

    family = psutil.Process(again.pid).children(recursive=True)
    again.kill()
    again.wait()
    _, alive = psutil.wait_procs(family, timeout=30)
    assert alive == []

    last = start(first, ports[0])
    wait_until_ready(last, ports[0])
    assert "Migrations" not in stop(last)


def test_a_killed_postgresql_is_followed_by_one_that_finds_its_data(tmp_path):
    data_dir = DataDir(tmp_path)
    postgres = Postgres(data_dir)
    postgres.start()
    port = data_dir.port("postgres", running=True)

    for _ in range(10):
        psutil.Process(postgres.pid()).kill()
        postgres.start()
        assert postgres.is_running()
        # Its clients know no other.
        assert data_dir.port("postgres", running=True) == port
    postgres.stop()
    assert not postgres.is_running()


def test_a_stale_pid_file_neither_ends_a_stranger_nor_keeps_postgresql_from_starting(tmp_path):
    postgres, other = Postgres(DataDir(tmp_path / "one")), Postgres(DataDir(tmp_path / "other"))
    postgres.start()
    lines = (postgres.data / "postmaster.pid").read_text().splitlines()
    postgres.stop()
    other.start()
    stranger = subprocess.Popen(["sleep", "300"])

    try:
        for pid in (stranger.pid, other.pid()):
            name_in_pid_file(postgres, pid, lines)
            postgres.stop()
            name_in_pid_file(postgres, pid, lines)
            postgres.start()
            assert postgres.is_running()
            assert stranger.poll() is None
            assert other.is_running()
            postgres.stop()
    finally:
        postgres.stop()
        other.stop()
        stranger.kill()
        stranger.wait()


def test_data_left_half_made_is_made_anew(tmp_path):
    postgres = Postgres(DataDir(tmp_path))
    starting = subprocess.Popen(
        [sys.executable, "-c", "from walletplatform.embedded.data_dir import *;"
         "from walletplatform.embedded.postgres import *;"
         f"Postgres(DataDir(Path({str(tmp_path)!r}))).start()"],
        cwd=ROOT, env=clean_env(),
    )  # fmt: skip
    while not list(tmp_path.glob("postgres*/PG_VERSION")):
        assert starting.poll() is None
    for one in [psutil.Process(starting.pid), *psutil.Process(starting.pid).children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # some end with those that started them
            one.kill()
    starting.wait()

    postgres.start()
    assert postgres.is_running()
    postgres.stop()


def test_a_new_database_forgets_the_logins_of_an_earlier_one(tmp_path, monkeypatch):
    for name in GIVEN:
        monkeypatch.delenv(name, raising=False)
    data_dir = DataDir(tmp_path)
    services = Services(data_dir, lambda text: None)
    services.start()
    data_dir.write_json("demo-client.json", {})
    services.stop()
    services.start()
    services.stop()
    assert data_dir.read_json("demo-client.json") == {}

    shutil.rmtree(services.postgres.data)
    services.start()
    services.stop()
    assert data_dir.read_json("demo-client.json") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that only root may enter")
@pytest.mark.parametrize("namespaces", [True, False])
def test_root_runs_it_in_a_folder_that_only_root_may_enter(tmp_path, monkeypatch, namespaces):
    from walletplatform.embedded import unprivileged

    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    unprivileged._namespaces_allowed.cache_clear()
    if not namespaces:
        monkeypatch.setenv("EMBEDDED_NO_NAMESPACE", "1")
    try:
        data_dir = DataDir(closed / "data")
        postgres = Postgres(data_dir)
        assert (runner(data_dir.path / "postgres").user is None) == namespaces
        postgres.start()
        assert postgres.is_running()
        postgres.stop()
        shutil.rmtree(postgres.data.parent)
    finally:
        unprivileged._namespaces_allowed.cache_clear()
