"""A database that takes everything and answers nothing: payments are told so in time, and go on when it speaks."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client as Http

from ledger import watchdog
from ledger.database import close_money_pool
from payments.grouping import Group
from tests.payments.silence import Silence
from tests.payments.test_grouping import ann, bob, outcome_of, submit_all, transfer  # noqa: F401 (fixtures)

SECONDS = 2.0


@pytest.fixture
def way(settings, monkeypatch, database):
    """The money path's way to the database, with a watchdog that is quicker than usual."""
    monkeypatch.setattr(watchdog, "USE_SECONDS", SECONDS)
    default = settings.DATABASES["default"]
    usual = default["HOST"], default["PORT"]
    way = Silence(usual[0], int(usual[1]))
    close_money_pool()
    default["HOST"], default["PORT"] = "127.0.0.1", str(way.port)
    yield way
    default["HOST"], default["PORT"] = usual
    close_money_pool()
    way.close()


@pytest.fixture
def group(way):
    group = Group(capacity=50, patience=10)
    group.start()
    return group


def test_silence_before_the_commit_is_given_up_and_nothing_was_executed(group, way, transfer, shop, ann, bob):  # noqa: F811
    first, second = transfer(ann, bob), transfer(ann, bob)
    assert outcome_of(group, first) == "settled"

    way.fall()
    began = time.monotonic()
    assert outcome_of(group, second) == "unavailable"
    assert time.monotonic() - began < 3 * SECONDS

    way.speak()
    assert submit_all(group, [transfer(ann, bob) for _ in range(4)]) == ["settled"] * 4
    assert outcome_of(group, second) == "settled"
    assert shop.balance(bob) == "6.00"


def test_silence_after_the_commit_was_sent_is_unknown_and_the_key_tells(group, way, transfer, shop, ann, bob):  # noqa: F811
    """The connection is new, so it sends the word, and not the name of a statement that it prepared."""
    command = transfer(ann, bob)

    way.last_words = b"COMMIT"
    assert outcome_of(group, command) == "outcome_unknown"

    way.speak()
    assert outcome_of(group, command) == "replayed"
    assert shop.balance(bob) == "1.00"


def test_a_process_whose_database_is_silent_is_not_ready(group, way, transfer, ann, bob):  # noqa: F811
    assert outcome_of(group, transfer(ann, bob)) == "settled"
    assert Http().get("/healthz/ready").status_code == 200

    way.fall()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(outcome_of, group, transfer(ann, bob))
        ends = time.monotonic() + 2 * SECONDS
        while (answer := Http().get("/healthz/ready")).status_code == 200 and time.monotonic() < ends:
            time.sleep(0.05)
        waiting.result(30)

    assert answer.status_code == 503
    assert "has not answered the money path" in answer.json()["checks"]["money"]
    assert Http().get("/healthz/ready").status_code == 200


def test_whose_time_is_over_makes_room_in_the_queue(transfer, ann, bob):  # noqa: F811
    group = Group(capacity=2, patience=0.05)

    assert [outcome_of(group, transfer(ann, bob)) for _ in range(4)] == ["deadline_exceeded"] * 4
