"""How failures go over time: counted beside the week before; a rise is found where it began, with what it began."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ops.failures.analysis import Chosen
from ops.failures.trend import began_with, rise, trend
from ops.windows import DAY, HOUR, MINUTE, RANGES, WEEK, Window
from tests.ops.failures import fail

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
WINDOW = Window(NOON - DAY, NOON + HOUR / 2)


def hours(*counts):
    """Failures of the hours up to that of noon."""
    return {NOON - place * HOUR: count for place, count in enumerate(reversed(counts))}


def test_failures_are_counted_beside_those_of_a_week_before(rare_asset):
    fail(rare_asset, NOON + MINUTE, "invalid_state", times=2)
    fail(rare_asset, NOON - HOUR, "invalid_state")
    fail(rare_asset, NOON - WEEK + 59 * MINUTE, "invalid_state")
    fail(rare_asset, NOON + 31 * MINUTE, "invalid_state")

    found = trend(window=WINDOW, step=HOUR, chosen=Chosen([rare_asset]), upto=NOON + HOUR)

    assert found.within(NOON, NOON + HOUR) == (2, 1)
    assert found.within(NOON - DAY, NOON + HOUR) == (3, 1)


@pytest.mark.parametrize(
    ("counts", "where"),
    [
        (hours(*[1] * 24, 40), 0),
        (hours(*[1] * 23, 30, 40), 1),
        (hours(40), 0),
        (hours(*[1] * 20, 15, 1, 1, 1, 60), 0),
        (hours(9), None),
        (hours(*[20] * 60, 50), None),
        ({}, None),
    ],
)
def test_a_rise_is_many_times_what_was_usual_and_begins_with_its_first_hour(counts, where):
    found = rise(counts, WINDOW)

    assert (found and found.hour) == (None if where is None else NOON - where * HOUR)


def test_what_a_rise_began_with_is_what_most_of_its_first_payments_share(rare_asset):
    client, wallet = uuid4(), uuid4()
    for minute in range(30):
        fail(
            rare_asset, NOON + minute * MINUTE, "payment_denied", client=client, wallet=wallet if minute < 20 else None
        )
    for minute in range(8):
        fail(rare_asset, NOON + minute * MINUTE, "invalid_state", client=uuid4())

    risen = rise({NOON: 38}, WINDOW)
    shared, first = began_with(risen, Chosen([rare_asset]))

    assert [(one.dimension, one.key, one.count, one.of) for one in shared] == [
        ("code", "payment_denied", 30, 38),
        ("client", str(client), 30, 38),
        ("wallet", str(wallet), 20, 38),
    ]
    assert first[0].failed_at == NOON
    assert [one.dimension for one in began_with(risen, Chosen([rare_asset], code="payment_denied"))[0]] == [
        "client", "wallet",
    ]  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_a_range_is_cut_into_whole_buckets_of_which_the_last_is_not_over(name):
    now = NOON + timedelta(minutes=7, seconds=3)
    chosen = RANGES[name]
    window, buckets = chosen.window(now), chosen.buckets(now)

    assert window.ends == now
    assert now - chosen.length < window.begins <= now - chosen.length + chosen.step
    assert buckets[0] == window.begins
    assert now - chosen.step < buckets[-1] <= now
    assert len(set(map(chosen.label, buckets))) == len(buckets) == chosen.length / chosen.step
