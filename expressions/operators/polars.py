"""Operators that Polars runs: an expression of Polars over inputs, for what no operator of ours is equal to.

The expression is the JSON of Polars, with a column `"0"` for the first input, `"1"` for the second, and so on. Each of
the five operators says which bars the expression sees. A digest holds the JSON, which another version of Polars may
write in another way: its results are then computed anew.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ArgumentError, ParameterError
from factorloom.expressions.factor import Factor, Input, Key
from factorloom.expressions.operator import operator
from factorloom.expressions.parameter import Count, Kind, Value

__all__ = ["polars_cell", "polars_cross", "polars_group", "polars_history", "polars_time"]

TRUSTED: set[str] = set()
"""Expressions that were read from objects of this process, and so may hold anything, even functions of Python."""

KNOWN = {
    "Literal", "Dyn", "Int", "Float", "Scalar", "Column", "Function", "input", "function", "Agg", "RollingExpr",
    "options", "window_size", "min_periods", "weights", "center", "fn_params", "Quantile", "prob", "method", "Rank",
    "seed", "EwmMean", "EwmStd", "EwmVar", "alpha", "adjust", "bias", "ignore_nulls", "Skew", "Kurtosis", "fisher",
    "descending", "NUnique", "Correlation", "Covariance", "ListExpr", "Cast", "expr", "dtype",
    "RLEID", "Average", "Min", "Max", "Dense", "Ordinal", "Nearest", "Lower", "Higher", "Midpoint", "Equiprobable",
    "Linear", "Concat", "ArgMax", "ArgMin", "Pearson", "Float32", "Strict", "NonStrict",
}  # fmt: skip
"""The words that an expression from text may hold: all that the reader itself writes."""


class Expression(Kind):
    """An expression of Polars as JSON; from text, only one that holds numbers and functions that the reader knows."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        if not isinstance(value, str):
            raise ArgumentError(f"{name} must be the JSON of a Polars expression, got {value!r}")
        if value in TRUSTED:
            return value
        try:
            known = _is_known(json.loads(value))
        except (ValueError, RecursionError):
            raise ParameterError(f"{name} is not the JSON of a Polars expression: {value[:80]!r}") from None
        if not known or not _runs(value):
            raise ParameterError(
                f"{name} holds more than numbers and known functions of Polars: {value[:80]!r}",
                hint="read it from the expression itself: fl.from_polars(expression, axis=..., lookback=...)",
            )
        return value

    def encode(self, value: Value) -> int:
        """No kernel reads it."""
        return 0


def _is_known(tree: Any) -> bool:
    """Whether a structure holds known words and numbers only, and no window that looks ahead."""
    if isinstance(tree, dict):
        return not tree.get("center") and all(key in KNOWN and _is_known(value) for key, value in tree.items())
    if isinstance(tree, list):
        return all(map(_is_known, tree))
    return not isinstance(tree, str) or tree in KNOWN or tree.isdecimal()


def _runs(expression: str) -> bool:
    """Whether Polars can run an expression, tried on three rows."""
    places = [int(place) for place in re.findall(r'{"Column":\s*"(\d+)"}', expression)]
    if sorted(set(places)) != list(range(len(set(places)))):
        return False
    inputs = {str(place): [1.0, 2.0, 4.0] for place in places}
    try:
        made = pl.DataFrame(inputs).with_columns(made=_run(*map(pl.col, inputs), expression=expression))
    except (Exception, pl.exceptions.PanicException):
        return False
    return made.height == 3


Text: TypeAlias = Annotated[str, Expression()]
Lookback: TypeAlias = Annotated[int, Count(0)]


@operator(Axis.CELL)
def polars_cell(*inputs: Input, expression: Text) -> Factor:
    """An expression of Polars over the values of one bar."""


@operator(Axis.TIME, lookback=lambda lookback, **_: lookback)
def polars_time(*inputs: Input, expression: Text, lookback: Lookback) -> Factor:
    """An expression of Polars along the bars of a symbol; it needs the `lookback` bars before the current one."""


@operator(Axis.TIME, unbounded=True)
def polars_history(*inputs: Input, expression: Text) -> Factor:
    """An expression of Polars along the bars of a symbol, which needs all bars so far."""


@operator(Axis.CROSS)
def polars_cross(*inputs: Input, expression: Text) -> Factor:
    """An expression of Polars over the symbols of a date."""


@operator(Axis.GROUP)
def polars_group(*inputs: Input, by: Key, expression: Text) -> Factor:
    """An expression of Polars over the symbols of a date within each category of the column `by`."""


def _run(*inputs: pl.Expr, expression: str) -> pl.Expr:
    trees = [json.loads(x.meta.serialize(format="json")) for x in inputs]
    tree = json.loads(expression)
    return pl.Expr.deserialize(io.StringIO(json.dumps(_filled(tree.get("run", tree), trees))), format="json")


def _filled(tree: Any, inputs: Sequence[Any]) -> Any:
    """The expression with its inputs in place of columns."""
    if isinstance(tree, dict):
        if len(tree) == 1 and "Column" in tree:
            place = int(tree["Column"])
            if place >= len(inputs):
                raise ParameterError(f"expression reads input {place}, and there are {len(inputs)}")
            return inputs[place]
        return {key: _filled(value, inputs) for key, value in tree.items()}
    return [_filled(value, inputs) for value in tree] if isinstance(tree, list) else tree


for _each in (polars_cell, polars_time, polars_history, polars_cross, polars_group):
    _each.polars(_run)
