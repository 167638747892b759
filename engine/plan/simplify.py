"""Pass 1: rewrite what has a cheaper form with exactly the same value.

Only rules that hold for every value to the last bit, missing ones included: nothing that rounds differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from factorloom.engine.plan.plan import Plan
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, intern
from factorloom.expressions.operator import LIT, lit

__all__ = ["RULES", "simplify"]


def simplify(plan: Plan) -> Plan:
    done: dict[Factor, Factor] = {}
    for factor in plan.wanted.values():
        for node in factor.walk():
            if node not in done:
                done[node] = _settled(node.on(tuple(done[child] for child in node.inputs)))
    return replace(plan, outputs={name: done[factor] for name, factor in plan.wanted.items()})


def _settled(node: Factor) -> Factor:
    """The node after the first rule that applies; its inputs are settled already."""
    for rule in RULES:
        simpler = rule(node)
        if simpler is not None:
            return simpler
    return node


def _constant(node: Factor) -> Factor | None:
    """A cell-wise operator on constants is a constant."""
    op = node.operator
    if op.axis is not Axis.CELL or "meaning" not in op.forms or any(child.operator is not LIT for child in node.inputs):
        return None
    with np.errstate(all="ignore"):
        inputs = [np.array([child.parameters[0]], dtype=np.float64) for child in node.inputs]
        value = float(op.call("meaning", inputs, node.parameters)[0])
    return lit(value if np.isfinite(value) else np.nan)


def _neutral(node: Factor) -> Factor | None:
    """`x * 1`, `x / 1`, `x - 0`, `x ** 1` and `1 * x` are `x`."""
    name = node.operator.name
    if name in ("multiply", "divide", "power") and _is(node.inputs[1], 1):
        return node.inputs[0]
    if name == "multiply" and _is(node.inputs[0], 1):
        return node.inputs[1]
    if name == "subtract" and _is(node.inputs[1], 0):
        return node.inputs[0]
    return None


def _twice(node: Factor) -> Factor | None:
    """Two signs cancel, and one absolute value is as good as two."""
    name, inner = node.operator.name, node.inputs[0] if node.inputs else node
    if name == "negate" and inner.operator.name == "negate":
        return inner.inputs[0]
    if name == "abs" and inner.operator.name in ("abs", "negate"):
        return _settled(node.on(inner.inputs)) if inner.operator.name == "negate" else inner
    return None


def _delayed(node: Factor) -> Factor | None:
    """A delay of a delay is one delay."""
    inner = node.inputs[0] if node.inputs else node
    if node.operator.name == "ts_delay" and inner.operator is node.operator:
        periods = int(node.parameters[0]) + int(inner.parameters[0])
        return intern(node.operator, inner.inputs, {"periods": periods})
    return None


def _ranked(node: Factor) -> Factor | None:
    """The rank of a rank is the rank."""
    op, inner = node.operator, node.inputs[0] if node.inputs else node
    if op.name not in ("cs_rank", "group_rank") or inner.operator is not op:
        return None
    if any(key is not other for key, other in zip(node.inputs[1:], inner.inputs[1:], strict=True)):
        return None
    return node.on(inner.inputs)


def _is(node: Factor, value: float) -> bool:
    return node.operator is LIT and node.parameters[0] == value


RULES: tuple[Callable[[Factor], Factor | None], ...] = (_constant, _neutral, _twice, _delayed, _ranked)
"""All rules; each gives the simpler factor, or None where it does not apply."""
