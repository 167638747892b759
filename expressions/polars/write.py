"""Factors as chains of plain expressions of Polars, which anyone can run.

Every node becomes a column. Polars gives a wrong answer where one `.over()` stands inside another, so a node only ever
reads finished columns: the nodes form stages, each one `with_columns` that reads the columns of those before it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence, Set

import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, ExpressionError
from factorloom.expressions.factor import DATES_LEFT, Factor
from factorloom.expressions.operator import COL, LIT
from factorloom.expressions.operators.loop.window import once
from factorloom.expressions.polars.stages import PolarsStages
from factorloom.expressions.polars.tree import holds_python, tree_of
from factorloom.expressions.registry import CONVERSIONS
from factorloom.expressions.render import MAX_SIZE, render

__all__ = ["as_column", "as_step", "is_plain", "layers_of", "to_polars"]


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
    ArgumentError
        Where one is not a factor, or is named as a key column.
    ExpressionError
        Where an operator has no form in plain expressions; the message names it.

    Examples
    --------
    >>> import factorloom as fl
    >>> from factorloom.polars import to_polars
    >>> print(to_polars({"gap": fl.ts_delay(fl.close / fl.open_, 1)}))
    bars.sort('symbol', 'date')  # every step is Float64, and null where it is not finite
    .with_columns(
        _1 = col("close"),
        _2 = col("open"),
    )
    .with_columns(
        _3 = [(col("_1")) / (col("_2"))],  # _1 / _2
    )
    .with_columns(
        _4 = col("_3").shift([dyn int: 1]).over([col("symbol")]),  # ts_delay(_3, 1)
    )
    .with_columns(
        gap = col("_4"),
    )
    """
    _check_request(factors, (symbol, date))
    walked = (node for factor in factors.values() for node in factor.walk())
    nodes = list(dict.fromkeys(each for node in walked for each in (*node.operands, node)))
    keys = {node.inputs[-1] for node in nodes if node.operator.axis is Axis.GROUP}
    read = {child for node in nodes for child in node.operands} | set(factors.values())
    taken = {symbol, date, *factors, *(name for factor in factors.values() for name in factor.columns)}
    nodes = [node for node in nodes if node not in keys or node in read]
    names = dict(zip(nodes, _free_names(taken), strict=False))
    steps = {node: as_step(node, names, symbol, date, _repeated) for node in nodes}
    _check_forms(factors, steps)
    stages = [tuple(as_column(node, steps[node]).alias(names[node]) for node in layer) for layer in layers_of(nodes)]
    last = tuple(pl.col(names[factor]).alias(name) for name, factor in factors.items())
    shown = {names[node]: (step, _meaning(node, names)) for node, step in steps.items()}
    return PolarsStages((*stages, last), tuple(factors), symbol, date, shown)


def _check_request(factors: Mapping[str, Factor], keys: tuple[str, str]) -> None:
    if not factors:
        raise ArgumentError("no factor to write", hint='to_polars({"gap": fl.close / fl.open_})')
    for name, factor in factors.items():
        if not isinstance(factor, Factor):
            raise ArgumentError(f"{name!r} is not a factor: {factor!r}", hint="make one: fl.parse, fl.from_polars")
        if name in keys:
            raise ArgumentError(f"a factor cannot be named {name!r}: that is a key column", hint="give it another name")


def _free_names(taken: Set[str]) -> Iterator[str]:
    """Names of steps: `_1`, `_2` and so on, without those that mean something else."""
    return (name for name in map("_{}".format, itertools.count(1)) if name not in taken)


def _meaning(node: Factor, names: Mapping[Factor, str]) -> str:
    """What a step computes, as the text of a factor of the steps that it reads; a column says so itself."""
    return "" if node.operator is COL else render(node, {child: names[child] for child in node.operands})


def _repeated(value: float) -> pl.Expr:
    """A constant on every row, in a form that Polars does not take for a single value, as it does `pl.repeat`."""
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


def as_step(
    node: Factor, names: Mapping[Factor, str], symbol: str, date: str, constant: Callable[[float], pl.Expr]
) -> pl.Expr:
    """A node as an expression over the finished columns of its inputs.

    `constant` gives a whole column: Polars multiplies by the reciprocal of a single value.
    """
    return _over(node, _expression(node, names, constant), symbol, date)


def as_column(node: Factor, step: pl.Expr) -> pl.Expr:
    """The finished column of a step: Float64, null for whatever is not finite."""
    number = step.cast(pl.Float64)
    return _finite(number) if node.operator.axis is Axis.CELL else once(_finite, number)


def _finite(number: pl.Expr) -> pl.Expr:
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
    if node.operator is COL and node.parameters[0] == DATES_LEFT:
        return pl.col(date).rank("dense", descending=True) - 1
    if axis is Axis.TIME:
        return expression.over(symbol)
    if axis is Axis.CROSS:
        return expression.over(date)
    if axis is Axis.GROUP:
        key = pl.col(str(node.inputs[-1].parameters[0]))
        return pl.when(key.is_not_null()).then(expression.over(date, key))
    return expression


def _check_forms(factors: Mapping[str, Factor], steps: Mapping[Factor, pl.Expr]) -> None:
    """Refuse operators whose form calls Python; the place is that in the first factor with such an operator."""
    unable = {node: node.operator.name for node, step in steps.items() if not is_plain(step)}
    if not unable:
        return
    error = ExpressionError(
        f"no form in plain expressions of Polars: {', '.join(dict.fromkeys(unable.values()))}",
        hint="compute these with a panel: panel.compute, or frame.fl.with_factors",
    )
    first = next(factor for factor in factors.values() if any(node in unable for node in factor.walk()))
    if first.size <= MAX_SIZE:
        text = str(first)
        error.at(text, min(place for name in unable.values() if (place := text.find(f"{name}(")) >= 0))
    raise error


def is_plain(expression: pl.Expr) -> bool:
    """Whether an expression holds no Python function, wherever Polars takes one."""
    try:
        return not holds_python(tree_of(expression))
    except ExpressionError:  # a Python function that cannot be written down
        return False


CONVERSIONS["polars"] = to_polars
