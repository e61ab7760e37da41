"""One platform for all proofs that need a running one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.model.history_platform import Arena, arena


@pytest.fixture(scope="package")
def started() -> Iterator[Arena]:
    with arena() as running:
        yield running
