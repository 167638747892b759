"""The portable executor: the same plan as lazy Polars stages, and a second opinion on every value.

Every node becomes one column. Polars gives a wrong answer where one `.over()` stands inside another, so a node that
looks along time or across symbols only ever reads finished columns: nodes are laid in layers, each one `with_columns`.
"""

from __future__ import annotations

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.plan.plan import Plan
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["run"]


def run(plan: Plan, bars: Bars, dtype: str = "float64") -> list[pl.Series]:
    """The wanted factors of a plan, in panel order."""
    names = {node: f"\0{number}" for number, node in enumerate(plan.nodes)}
    frame = bars.frame.lazy()
    for layer in _layers(plan):
        frame = frame.with_columns(_column(node, bars, names) for node in layer)
    kind = pl.Float32 if dtype == "float32" else pl.Float64
    wanted = [pl.col(names[factor]).cast(kind).alias(f"\0{name}\0") for name, factor in plan.aims.items()]
    table = frame.select(wanted).collect(engine="in-memory")
    return [series.alias(name) for series, name in zip(table, plan.aims, strict=True)]


def _layers(plan: Plan) -> list[list[Factor]]:
    """Nodes by their distance from the columns."""
    layers: dict[int, list[Factor]] = {}
    for node in plan.nodes:
        layers.setdefault(node.depth, []).append(node)
    return [layers[depth] for depth in sorted(layers)]


def _column(node: Factor, bars: Bars, names: dict[Factor, str]) -> pl.Expr:
    return _clean(_over(node, _expression(node, names), bars)).alias(names[node])


def _expression(node: Factor, names: dict[Factor, str]) -> pl.Expr:
    if node.operator is COL:
        return pl.col(str(node.parameters[0]))
    if node.operator is LIT:
        return pl.lit(node.parameters[0], dtype=pl.Float64)
    inputs = [pl.col(names[child]) for child in node.operands]
    return node.operator.call("polars", inputs, node.parameters)  # type: ignore[no-any-return]


def _over(node: Factor, expression: pl.Expr, bars: Bars) -> pl.Expr:
    axis = node.operator.axis
    if axis is Axis.TIME:
        return expression.over(bars.symbol)
    if axis is Axis.CROSS:
        return expression.over(bars.date)
    if axis is Axis.GROUP:
        key = pl.col(str(node.inputs[-1].parameters[0]))
        return pl.when(key.is_not_null()).then(expression.over(bars.date, key))
    return expression


def _clean(expression: pl.Expr) -> pl.Expr:
    """Float64 with null for whatever is not finite."""
    number = expression.cast(pl.Float64)
    return pl.when(number.is_finite()).then(number)
