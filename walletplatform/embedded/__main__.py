"""
``python -m walletplatform.embedded run|test|bench|up|down``: what the Makefile calls.

``run`` serves until Ctrl-C; ``test`` and ``bench`` run their program with services of its own;
``up`` and ``down`` only start and stop the services, for work with ``manage.py``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from walletplatform.embedded.data_dir import DataDir
from walletplatform.embedded.running import Say, bench, run, test
from walletplatform.embedded.services import Services

ROOT = Path(__file__).resolve().parent.parent.parent


def say(text: str) -> None:
    print(f"  {text}", flush=True)


def main() -> int:
    command, *arguments = sys.argv[1:] or ["help"]
    defaults = {"test": "var/test", "bench": "var/bench"}
    chosen = os.environ.get("DATA_DIR") or defaults.get(command, "var")
    commands = {"run": run, "test": test, "bench": bench, "up": up, "down": down}
    if command not in commands:
        print(__doc__)
        return 2
    data_dir = DataDir((ROOT / chosen).absolute())
    with data_dir.lock():
        return commands[command](data_dir, say, arguments)


def up(data_dir: DataDir, say: Say, arguments: Sequence[str]) -> int:
    Services(data_dir, say).start()
    say(f"Environment in {data_dir.path / 'env'}")
    return 0


def down(data_dir: DataDir, say: Say, arguments: Sequence[str]) -> int:
    Services(data_dir, say).stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
