"""The state machine in short, and what it is worth: a wrong answer turns it red."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.model import machine
from tests.model.history_platform import Arena, arena
from tests.model.reference import Reference

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def started() -> Iterator[Arena]:
    """A platform of its own: its clock goes where the machine moves it."""
    with arena() as running:
        yield running


def test_whatever_happens_the_server_answers_as_the_model(started):
    steps = []

    assert machine.run(started, 200, 1, steps.append) == []
    assert len(steps) >= 200
    assert started.faults_of_the_ledger() == []


def test_a_model_that_differs_is_noticed(started, monkeypatch):
    monkeypatch.setattr(Reference, "_held", lambda model, payment: Decimal(0))

    assert machine.run(started, 300, 2, lambda done: None)
