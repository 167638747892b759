"""Pass 3: cut the nodes into stages with a single axis.

Stages alternate between symbol by symbol and date by date. A node runs in the first stage of its axis in which all
its inputs are known, and a cell-wise node with the latest of its inputs. Results are laid down symbol by symbol, so a
last such stage follows where one goes date by date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from factorloom.engine.plan.plan import Plan, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["cut"]

AXES = (Axis.TIME, Axis.CROSS)
PLACE = {Axis.TIME: 0, Axis.CROSS: 1, Axis.GROUP: 1}


def cut(plan: Plan) -> Plan:
    level: dict[Factor, int] = {}
    for node in plan.nodes:
        level[node] = _level(node, level)
    _settle(plan, level)
    last = max(level.values(), default=0)
    last += last % 2
    if plan.streamed:
        _delay(plan, level, last)
    nodes: list[list[Factor]] = [[] for _ in range(last + 1)]
    for node in plan.nodes:
        if node.operator not in (COL, LIT):
            nodes[level[node]].append(node)
    return replace(plan, stages=tuple(Stage(AXES[n % 2], tuple(members)) for n, members in enumerate(nodes)))


def _level(node: Factor, level: Mapping[Factor, int]) -> int:
    known = max((level[child] for child in node.operands), default=0)
    place = PLACE.get(node.operator.axis)
    return known if place is None or known % 2 == place else known + 1


def _settle(plan: Plan, level: dict[Factor, int]) -> None:
    """Let a cell-wise node wait for the next stage where fewer values then change orientation."""
    aims, users = set(plan.aims.values()), _users(plan)

    def crosses(node: Factor, here: int) -> int:
        """How often a value that is made at this level changes orientation."""
        if node.operator is LIT:
            return 0
        there = {level[user] % 2 for user in users[node]} | ({0} if node in aims else set())
        return int(1 - here % 2 in there)

    for node in reversed(plan.nodes):
        here = level[node]
        later = all(level[user] > here for user in users[node])
        if node.operator.axis is not Axis.CELL or node.operator in (COL, LIT) or not here % 2 or not later:
            continue
        parts = [node, *dict.fromkeys(node.operands)]
        before = sum(crosses(part, level[part]) for part in parts)
        level[node] = here + 1
        if sum(crosses(part, level[part]) for part in parts) > before:
            level[node] = here


def _delay(plan: Plan, level: dict[Factor, int], last: int) -> None:
    """Let what only the last stage needs, and only columns feed, wait for it: so it need not be held until then."""
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
