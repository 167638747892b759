"""Pass 2: cut the nodes into stages with a single axis.

Stages alternate between symbol by symbol and date by date. A node runs in the first stage of its axis in which all
its inputs are known; a cell-wise node runs with the latest of its inputs. Stages that stay empty are dropped.
"""

from __future__ import annotations

from dataclasses import replace

from factorloom.engine.plan import Plan, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor

__all__ = ["cut"]

AXES = (Axis.TIME, Axis.CROSS)
PLACE = {Axis.TIME: 0, Axis.CROSS: 1, Axis.GROUP: 1}


def cut(plan: Plan) -> Plan:
    level: dict[Factor, int] = {}
    for node in plan.nodes:
        level[node] = _level(node, level)
    stages = []
    for number in sorted(set(level.values())):
        nodes = tuple(node for node in plan.computed if level[node] == number)
        if nodes:
            stages.append(Stage(AXES[number % 2], nodes))
    return replace(plan, stages=tuple(stages))


def _level(node: Factor, level: dict[Factor, int]) -> int:
    known = max((level[child] for child in node.operands), default=0)
    place = PLACE.get(node.operator.axis)
    return known if place is None or known % 2 == place else known + 1
