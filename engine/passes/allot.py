"""Pass 3: say what every stage reads, and what it leaves behind for later stages and for the result."""

from __future__ import annotations

from dataclasses import replace

from factorloom.engine.plan import Plan, Stage
from factorloom.expressions.operator import LIT

__all__ = ["allot"]


def allot(plan: Plan) -> Plan:
    needed = set(plan.wanted.values())
    stages: list[Stage] = []
    for stage in reversed(plan.stages):
        inside = set(stage.nodes)
        outside = (child for node in stage.nodes for child in node.operands if child not in inside)
        reads = tuple(dict.fromkeys(child for child in outside if child.operator is not LIT))
        keeps = tuple(node for node in stage.nodes if node in needed)
        needed.update(reads)
        stages.append(replace(stage, reads=reads, keeps=keeps))
    return replace(plan, stages=tuple(reversed(stages)))
