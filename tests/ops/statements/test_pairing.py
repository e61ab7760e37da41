"""What is paired is the same whatever the order it comes in, adds up, and is paired once; searches have an end."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as some

from ops.statements.combining import Budget, only_sum
from ops.statements.pairing import Movement, Pairer
from tests.ops.statements.files import days_ago

FEW = some.lists(
    some.tuples(some.integers(0, 4), some.sampled_from(["CREDIT", "DEBIT"]), some.integers(1, 12)), max_size=12
)


def movements(given, side):
    return [
        Movement(UUID(int=side * 1000 + n), days_ago(day), direction, amount, (n, 0))
        for n, (day, direction, amount) in enumerate(given)
    ]


def named(lines, entries, chance):
    """Some lines name an entry of their direction, whatever its amount."""
    found = {}
    for line in lines:
        fitting = [entry for entry in entries if entry.direction == line.direction]
        if fitting and chance.random() < 0.3:
            found[line.id] = [chance.choice(fitting)]
    return found


@settings(max_examples=150, deadline=None, database=None)
@given(FEW, FEW, some.integers(0, 2), some.integers(0, 3), some.randoms(use_true_random=False))
def test_pairs_add_up_are_made_once_and_do_not_depend_on_the_order(lines, entries, tolerance, window, chance):
    lines, entries = movements(lines, 1), movements(entries, 2)
    names = named(lines, entries, chance)

    found = Pairer(names, tolerance, window).pair(lines, entries)
    chance.shuffle(lines)
    chance.shuffle(entries)

    assert Pairer(names, tolerance, window).pair(lines, entries) == found
    paired = [one.id for pairing in found for one in (*pairing.lines, *pairing.entries)]
    assert len(paired) == len(set(paired))
    for one in found:
        assert len({each.direction for each in (*one.lines, *one.entries)}) == 1
        assert abs(one.difference) <= (tolerance if "near" in one.rule else 0)
        for line in one.lines:
            if line.id in names:
                assert one.entries[0] in names[line.id]
            else:
                assert all(abs((line.day - entry.day).days) <= window for entry in one.entries)


def test_a_sum_is_found_where_it_is_the_only_one():
    assert only_sum(9, [5, 4, 3], lambda one: one, Budget()) == [5, 4]
    assert only_sum(9, [5, 4, 6, 3], lambda one: one, Budget()) == []
    assert only_sum(9, [9, 1], lambda one: one, Budget()) == []
    assert only_sum(30, list(range(1, 17)), lambda one: one, Budget(each=10)) == []


def test_many_of_one_day_are_paired_within_seconds():
    chance = random.Random(7)
    lines = [
        Movement(UUID(int=n), days_ago(chance.randrange(5)), "CREDIT", chance.randrange(1, 10**6), (n, 0))
        for n in range(20_000)
    ]
    entries = [
        Movement(UUID(int=10**6 + n), line.day - timedelta(days=chance.randrange(2)), "CREDIT", line.amount, (n, 0))
        for n, line in enumerate(lines) if n % 10
    ]  # fmt: skip
    begin = time.process_time()

    found = Pairer({}, 0, 3).pair(lines, entries)

    assert len([one for one in found if one.rule == "amount"]) > 17_000
    assert time.process_time() - begin < 20
