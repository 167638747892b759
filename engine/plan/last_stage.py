"""Where the last stage of a streamed plan begins, such that as few bytes as possible wait for it.

A value can wait, or it can be computed in the last stage from what waits: the smallest set of values that separates the
outputs from the operators that need whole dates. It is a minimum cut, found as a maximum flow (Edmonds and Karp, 1972).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from factorloom.engine.plan.plan import Plan
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor

__all__ = ["WHOLE_DATES", "last_nodes"]

WHOLE_DATES = (Axis.CROSS, Axis.GROUP)
"""The axes of operators that read whole dates."""

Capacities = list[dict[int, float]]


def last_nodes(plan: Plan) -> tuple[Factor, ...]:
    """The nodes that are computed in the last stage, inputs first."""
    capacities, places = _network(plan)
    behind = _behind_the_cut(capacities)
    last: set[Factor] = set()
    stack = list(plan.outputs.values())
    while stack:
        node = stack.pop()
        if node not in last and node in places and places[node] not in behind:
            last.add(node)
            stack += node.operands
    return tuple(node for node in places if node in last)


def _network(plan: Plan) -> tuple[Capacities, dict[Factor, int]]:
    """What may flow from whole dates (0) to the outputs (1): through a node, from 2k to 2k + 1, the bytes that it takes
    if it waits; from a node to those that read it, any amount."""
    places = {node: 2 * number for number, node in enumerate(plan.computed, start=1)}
    capacities: Capacities = [{} for _ in range(2 + 2 * len(places))]

    def connect(start: int, end: int, capacity: float) -> None:
        capacities[start][end] = capacity
        capacities[end].setdefault(start, 0)

    for node, place in places.items():
        connect(place, place + 1, plan.room.bytes_of(node))
        if node.operator.axis in WHOLE_DATES:
            connect(0, place, float("inf"))
        else:
            for child in node.operands:
                if child in places:
                    connect(places[child] + 1, place, float("inf"))
    for node in plan.outputs.values():
        if node in places:
            connect(places[node] + 1, 1, float("inf"))
    return capacities, places


def _behind_the_cut(capacities: Capacities) -> set[int]:
    """What can still be reached once no more can flow; nodes that start there are not last."""
    while True:
        before = _reached(capacities)
        if 1 not in before:
            return set(before)
        path = list(_path(before))
        flow = min(capacities[start][end] for start, end in path)
        for start, end in path:
            capacities[start][end] -= flow
            capacities[end][start] += flow


def _reached(capacities: Capacities) -> dict[int, int]:
    """Every place that more can flow to, with the one before it on a shortest way."""
    before = {0: 0}
    queue = deque([0])
    while queue and 1 not in before:
        start = queue.popleft()
        for end, capacity in capacities[start].items():
            if capacity > 0 and end not in before:
                before[end] = start
                queue.append(end)
    return before


def _path(before: dict[int, int]) -> Iterator[tuple[int, int]]:
    end = 1
    while end != 0:
        yield before[end], end
        end = before[end]
