"""Factors as chains of plain expressions of Polars, which anyone can run.

Every node becomes a column. Polars gives a wrong answer where one `.over()` stands inside another, so a node only ever
reads finished columns: the nodes form stages, each one `with_columns` that reads the columns of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ExpressionError
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT
from factorloom.expressions.polars.stages import PolarsStages
from factorloom.expressions.registry import CONVERSIONS

__all__ = ["as_column", "layers_of", "to_polars"]


def to_polars(factors: Mapping[str, Factor], *, symbol: str = "symbol", date: str = "date") -> PolarsStages:
    """Some factors as stages of plain expressions of Polars; what they share is computed once.

    Parameters
    ----------
    factors
        By the name of the column that they become.
    symbol, date
        The key columns of the frames that they will be applied to.

    Raises
    ------
    ExpressionError
        Where an operator has no form in plain expressions; the message names it.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.polars import to_polars
    >>> print(to_polars({"gap": fl.close / fl.open_}))
    bars.sort('symbol', 'date')
      .with_columns
        _1 = col("close").strict_cast(Float64)
        _2 = col("open").strict_cast(Float64)
      .with_columns
        _3 = [(col("_1")) / (col("_2"))].strict_cast(Float64)
      .with_columns
        gap = col("_3")
    """
    nodes = list(dict.fromkeys(node for factor in factors.values() for node in factor.walk()))
    keys = {node.inputs[-1] for node in nodes if node.operator.axis is Axis.GROUP}
    read = {child for node in nodes for child in node.operands} | set(factors.values())
    nodes = [node for node in nodes if node not in keys or node in read]
    names = {node: f"_{number}" for number, node in enumerate(nodes, 1)}
    made = {node: as_column(node, names, symbol, date, _repeated).alias(names[node]) for node in nodes}
    _check(made)
    stages = [tuple(made[node] for node in layer) for layer in layers_of(nodes)]
    last = tuple(pl.col(names[factor]).alias(name) for name, factor in factors.items())
    return PolarsStages([*stages, last], tuple(factors), symbol, date)


def _repeated(value: float) -> pl.Expr:
    """A constant on every row, in a form that Polars does not take for a single value."""
    return pl.int_range(pl.len()) * 0.0 + value


def layers_of(nodes: Sequence[Factor]) -> list[list[Factor]]:
    """The nodes in layers, each after the layers of what it reads."""
    layers: list[list[Factor]] = []
    place: dict[Factor, int] = {}
    for node in nodes:
        place[node] = max((place[child] + 1 for child in node.operands if child in place), default=0)
        if place[node] == len(layers):
            layers.append([])
        layers[place[node]].append(node)
    return layers


def as_column(
    node: Factor, names: Mapping[Factor, str], symbol: str, date: str, constant: Callable[[float], pl.Expr]
) -> pl.Expr:
    """A node as an expression over the finished columns of its inputs: Float64, null for whatever is not finite.

    `constant` gives a whole column: Polars multiplies by the reciprocal of a single value.
    """
    number = _over(node, _expression(node, names, constant), symbol, date).cast(pl.Float64)
    return pl.when(number.is_finite()).then(number)


def _expression(node: Factor, names: Mapping[Factor, str], constant: Callable[[float], pl.Expr]) -> pl.Expr:
    if node.operator is COL:
        return pl.col(str(node.parameters[0]))
    if node.operator is LIT:
        return constant(float(node.parameters[0]))
    inputs = [pl.col(names[child]) for child in node.operands]
    return node.operator.call("polars", inputs, node.parameters)  # type: ignore[no-any-return]


def _over(node: Factor, expression: pl.Expr, symbol: str, date: str) -> pl.Expr:
    axis = node.operator.axis
    if axis is Axis.TIME:
        return expression.over(symbol)
    if axis is Axis.CROSS:
        return expression.over(date)
    if axis is Axis.GROUP:
        key = pl.col(str(node.inputs[-1].parameters[0]))
        return pl.when(key.is_not_null()).then(expression.over(date, key))
    return expression


def _check(made: Mapping[Factor, pl.Expr]) -> None:
    """Refuse operators whose form calls Python."""
    unable = dict.fromkeys(node.operator.name for node, each in made.items() if not _is_plain(each))
    if unable:
        raise ExpressionError(
            f"no form in plain expressions of Polars: {', '.join(unable)}",
            hint="compute these with a panel: panel.compute, or frame.fl.with_factors",
        )


def _is_plain(expression: pl.Expr) -> bool:
    try:
        return '"AnonymousFunction"' not in expression.meta.serialize(format="json")
    except pl.exceptions.ComputeError:  # a Python function that cannot be written down
        return False


CONVERSIONS["polars"] = to_polars
