"""Pass 2: list every distinct node once, inputs first.

Nodes are interned, so what two factors have in common is already one object: sharing is not counting it twice.
Columns that are only grouped by are left out, for they are not numbers.
"""

from __future__ import annotations

from dataclasses import replace

from factorloom.engine.plan.plan import Plan

__all__ = ["share"]


def share(plan: Plan) -> Plan:
    outputs = plan.outputs.values()
    nodes = dict.fromkeys(each for factor in outputs for node in factor.walk() for each in (*node.operands, node))
    numbers = {child for node in nodes for child in node.operands} | set(outputs)
    return replace(plan, nodes=tuple(node for node in nodes if node in numbers))
