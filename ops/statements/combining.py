"""Find the few of many amounts that add up to one, within bounds: there are too many combinations to try all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Many = TypeVar("Many")
MOST_TOGETHER = 6


@dataclass(slots=True)
class Budget:
    """How many steps are left: for one search, and for all of a run."""

    each: int = 4_000
    left: int = 1_000_000


def only_sum(target: int, many: Sequence[Many], amount_of: Callable[[Many], int], budget: Budget) -> list[Many]:
    """
    Return the two to ``MOST_TOGETHER`` that add up to ``target``, where no others do; none otherwise.

    None too where the search has used up its steps: then it is not known that there are no others.
    """
    ordered = sorted(enumerate(many), key=lambda one: (-amount_of(one[1]), one[0]))
    amounts = [amount_of(one) for _, one in ordered]
    rest = [0] * (len(amounts) + 1)
    for place in range(len(amounts) - 1, -1, -1):
        rest[place] = rest[place + 1] + amounts[place]
    steps = min(budget.each, budget.left)
    found: list[list[int]] = []
    # Each step is a place to go on from, what is still missing, and what was taken: the largest first.
    waiting: list[tuple[int, int, list[int]]] = [(0, target, [])]
    while waiting and steps and len(found) < 2:
        steps -= 1
        budget.left -= 1
        place, missing, taken = waiting.pop()
        if missing == 0:
            if len(taken) > 1:
                found.append(taken)
            continue
        if place == len(amounts) or rest[place] < missing or len(taken) == MOST_TOGETHER:
            continue
        waiting.append((place + 1, missing, taken))
        if amounts[place] <= missing:
            waiting.append((place + 1, missing - amounts[place], [*taken, place]))
    if waiting or len(found) != 1:
        return []
    return [one for _, one in sorted(ordered[place] for place in found[0])]
