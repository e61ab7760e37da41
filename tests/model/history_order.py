"""
Do the orders of all accounts, what reads saw and the clocks of the clients fit together?

A graph: along each account from step to step, from a version's step to a read of it and on to the next
step, and along time. One order of everything exists just where the graph has no ring.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import isinf
from typing import Any

from tests.model.history import Anomaly, Operation


class _Graph:
    """Nodes are numbered: steps, then reads, then the moments at which something was sent."""

    def __init__(self) -> None:
        self.after: list[list[int]] = []
        self.names: list[str] = []

    def node(self, name: str) -> int:
        self.after.append([])
        self.names.append(name)
        return len(self.names) - 1

    def edge(self, before: int, after: int) -> None:
        self.after[before].append(after)

    def ring(self) -> list[int]:
        """Return a ring, or nothing: take away what nothing comes before, until nothing is left."""
        waits = [0] * len(self.after)
        for targets in self.after:
            for target in targets:
                waits[target] += 1
        free = deque(node for node, count in enumerate(waits) if not count)
        while free:
            for target in self.after[free.popleft()]:
                waits[target] -= 1
                if not waits[target]:
                    free.append(target)
        left = {node for node, count in enumerate(waits) if count}
        return self._walk(left) if left else []

    def _walk(self, left: set[int]) -> list[int]:
        """Each node that is left has one before it that is left too: going back must come to a ring."""
        before: dict[int, int] = {}
        for node in left:
            for target in self.after[node]:
                if target in left:
                    before[target] = node
        node, path, place = next(iter(left)), [], {}
        while node not in place:
            place[node] = len(path)
            path.append(node)
            node = before[node]
        return path[place[node] :][::-1]


def out_of_time(
    steps: Sequence[Any],
    chains: Mapping[str, Sequence[Any]],
    reads: Sequence[Operation],
    seen: Sequence[tuple[Any, Operation, Any]],
) -> list[Anomaly]:
    """Return an anomaly where there is a ring, telling it."""
    graph = _Graph()
    step_node = {id(step): graph.node(step.name) for step in steps}
    read_node = {id(read): graph.node(f"{read.verb} {read.subject} by {read.id}") for read in reads}
    for chain in chains.values():
        for before, after in pairwise(chain):
            if before is not after:
                graph.edge(step_node[id(before)], step_node[id(after)])
    for begun, read, ended in seen:
        if begun is not None:
            graph.edge(step_node[id(begun)], read_node[id(read)])
        if ended is not None:
            graph.edge(read_node[id(read)], step_node[id(ended)])
    timed = [(step.invoked, step.answered, step_node[id(step)]) for step in steps]
    timed += [(read.invoked, read.answered, read_node[id(read)]) for read in reads]
    moments = _add_time(graph, timed)
    ring = [node for node in graph.ring() if node < moments]
    if not ring:
        return []
    kind = "stale read" if any(node >= len(step_node) for node in ring) else "order violation"
    told = " -> ".join(graph.names[node] for node in [*ring[:12], ring[0]])
    return [Anomaly(kind, f"each before the next, by time or by the ledger: {told}")]


def _add_time(graph: _Graph, timed: Sequence[tuple[float, float, int]]) -> int:
    """
    Add what time says: from each answer to every request that was sent after it.

    By a line of the moments of sending, so that there are as many edges as operations, not their square.
    Returns the number of the first such moment.
    """
    first = len(graph.names)
    points = [(invoked, 1, node) for invoked, _, node in timed if not isinf(invoked)]
    points += [(answered, 0, node) for _, answered, node in timed if not isinf(answered)]
    line = graph.node("time")
    # At the same moment an answer is not before a request: they may have overlapped.
    for _, is_sent, node in sorted(points, key=lambda point: (point[0], -point[1])):
        if is_sent:
            graph.edge(line, node)
        else:
            following = graph.node("time")
            graph.edge(line, following)
            graph.edge(node, following)
            line = following
    return first
