"""Pass 3: cut the nodes into stages with a single orientation.

Stages alternate between symbol by symbol and date by date. A node runs in the first stage of its orientation in which
all its inputs are known, and a cell-wise node with the latest of its inputs. Outputs leave symbol by symbol, so a last
such stage follows where one goes date by date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice

from factorloom.engine.plan.plan import Orientation, Plan, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["cut"]

ORIENTATION = {Axis.TIME: Orientation.SYMBOL, Axis.CROSS: Orientation.DATE, Axis.GROUP: Orientation.DATE}
"""In which stages an operator can run; a cell-wise one in any."""


def cut(plan: Plan) -> Plan:
    order = tuple(islice(cycle(Orientation), 2 + max(node.depth for node in plan.nodes)))
    level: dict[Factor, int] = {}
    for node in plan.nodes:
        known = max((level[child] for child in node.operands), default=0)
        level[node] = _next(order, known, ORIENTATION.get(node.operator.axis, order[known]))
    _settle(plan, level, order)
    last = _next(order, max(level.values()), Orientation.SYMBOL)
    if plan.streamed:
        _delay(plan, level, last)
    nodes: list[list[Factor]] = [[] for _ in range(last + 1)]
    for node in plan.nodes:
        if node.operator not in (COL, LIT):
            nodes[level[node]].append(node)
    return replace(plan, stages=tuple(Stage(order[n], tuple(members)) for n, members in enumerate(nodes)))


def _next(order: Sequence[Orientation], level: int, orientation: Orientation) -> int:
    """The first stage from this one on that goes this way."""
    return level if order[level] is orientation else level + 1


def _settle(plan: Plan, level: dict[Factor, int], order: Sequence[Orientation]) -> None:
    """Move a cell-wise node to the next stage where fewer values then change orientation."""
    outputs, users = set(plan.outputs.values()), _users(plan)

    def turns(node: Factor, number: int) -> int:
        """1 where a value that is made in this stage is needed in the other orientation, else 0."""
        if node.operator is LIT:
            return 0
        needed = {order[level[user]] for user in users[node]} | ({Orientation.SYMBOL} if node in outputs else set())
        return int(bool(needed - {order[number]}))

    for node in reversed(plan.nodes):
        number = level[node]
        later = all(level[user] > number for user in users[node])
        can_wait = node.operator.axis is Axis.CELL and order[number] is Orientation.DATE and later
        if not can_wait or node.operator in (COL, LIT):
            continue
        parts = [node, *dict.fromkeys(node.operands)]
        before = sum(turns(part, level[part]) for part in parts)
        level[node] = number + 1
        if sum(turns(part, level[part]) for part in parts) > before:
            level[node] = number


def _delay(plan: Plan, level: dict[Factor, int], last: int) -> None:
    """Move what only the last stage needs, and only columns feed, into that stage: it then takes no memory before."""
    users = _users(plan)
    for node in reversed(plan.nodes):
        if level[node] == 0 and all(level[user] == last for user in users[node]):
            level[node] = last


def _users(plan: Plan) -> dict[Factor, list[Factor]]:
    """The nodes that read each node."""
    users: dict[Factor, list[Factor]] = {node: [] for node in plan.nodes}
    for node in plan.nodes:
        for child in dict.fromkeys(node.operands):
            users[child].append(node)
    return users
