"""Truth and choice among the values of one bar.

Truth values are 1, 0 and missing; any number but 0 counts as true. What is missing is unknown, as in Kleene's logic.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator

__all__ = [
    "equal",
    "fill",
    "greater",
    "greater_equal",
    "is_missing",
    "less",
    "less_equal",
    "logical_and",
    "logical_not",
    "logical_or",
    "not_equal",
    "where",
]

Array: TypeAlias = npt.NDArray[np.float64]


def _truth(value: npt.NDArray[np.bool_], *inputs: Array) -> Array:
    """1 and 0 for a comparison, missing where any input is missing."""
    out = value.astype(np.float64)
    for x in inputs:
        out = np.where(np.isnan(x), np.nan, out)
    return out


# --- comparisons: 1, 0, or missing where either side is missing --------------------------------------------------


@operator(Axis.CELL)
def equal(x: Input, y: Input) -> Factor:
    """`x == y` as 1 or 0; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close == 11))
    date           A    B    C
    2024-01-02   0.0  0.0    -
    2024-01-03   1.0  0.0  0.0
    2024-01-04   0.0  0.0  0.0
    """


@equal.meaning
def _(x: Array, y: Array) -> Array:
    return _truth(np.equal(x, y), x, y)


@equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x == y


@operator(Axis.CELL)
def not_equal(x: Input, y: Input) -> Factor:
    """`x != y` as 1 or 0; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close != 11))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   0.0  1.0  1.0
    2024-01-04   1.0  1.0  1.0
    """


@not_equal.meaning
def _(x: Array, y: Array) -> Array:
    return _truth(np.not_equal(x, y), x, y)


@not_equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x != y


@operator(Axis.CELL)
def less(x: Input, y: Input) -> Factor:
    """`x < y` as 1 or 0; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close < fl.open_))
    date           A    B    C
    2024-01-02   0.0  1.0    -
    2024-01-03   0.0  1.0  0.0
    2024-01-04   0.0  0.0  0.0
    """


@less.meaning
def _(x: Array, y: Array) -> Array:
    return _truth(np.less(x, y), x, y)


@less.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x < y


@operator(Axis.CELL)
def less_equal(x: Input, y: Input) -> Factor:
    """`x <= y` as 1 or 0; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close <= 11))
    date           A    B    C
    2024-01-02   1.0  0.0    -
    2024-01-03   1.0  0.0  1.0
    2024-01-04   0.0  0.0  1.0
    """


@less_equal.meaning
def _(x: Array, y: Array) -> Array:
    return _truth(np.less_equal(x, y), x, y)


@less_equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x <= y


@operator(Axis.CELL)
def greater(x: Input, y: Input) -> Factor:
    """`x > y` as 1 or 0; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close > fl.open_))
    date           A    B    C
    2024-01-02   0.0  0.0    -
    2024-01-03   1.0  0.0  0.0
    2024-01-04   1.0  1.0  1.0
    """


@greater.meaning
def _(x: Array, y: Array) -> Array:
    return _truth(np.greater(x, y), x, y)


@greater.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x > y


@operator(Axis.CELL)
def greater_equal(x: Input, y: Input) -> Factor:
    """`x >= y` as 1 or 0; missing where either is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close >= 11))
    date           A    B    C
    2024-01-02   0.0  1.0    -
    2024-01-03   1.0  1.0  0.0
    2024-01-04   1.0  1.0  0.0
    """


@greater_equal.meaning
def _(x: Array, y: Array) -> Array:
    return _truth(np.greater_equal(x, y), x, y)


@greater_equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x >= y


# --- logic of Kleene: what is missing is unknown -----------------------------------------------------------------


@operator(Axis.CELL)
def logical_and(x: Input, y: Input) -> Factor:
    """`x & y`: 0 where either is 0, 1 where both are true (not 0), otherwise missing.

    >>> import factorloom as fl
    >>> print(fl.example().show((fl.close > 10) & (fl.returns > 0)))
    date           A    B    C
    2024-01-02   0.0    -    -
    2024-01-03   1.0  0.0  0.0
    2024-01-04   1.0  1.0  0.0
    """


@logical_and.meaning
def _(x: Array, y: Array) -> Array:
    unknown = np.isnan(x) | np.isnan(y)
    return np.where((x == 0) | (y == 0), 0.0, np.where(unknown, np.nan, 1.0))


@logical_and.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return (x != 0) & (y != 0)


@operator(Axis.CELL)
def logical_or(x: Input, y: Input) -> Factor:
    """`x | y`: 1 where either is true (not 0), 0 where both are 0, otherwise missing.

    >>> import factorloom as fl
    >>> print(fl.example().show((fl.close > 10) | (fl.returns > 0)))
    date           A    B    C
    2024-01-02     -  1.0    -
    2024-01-03   1.0  1.0    -
    2024-01-04   1.0  1.0  1.0
    """


@logical_or.meaning
def _(x: Array, y: Array) -> Array:
    unknown = np.isnan(x) | np.isnan(y)
    is_true = (~np.isnan(x) & (x != 0)) | (~np.isnan(y) & (y != 0))
    return np.where(is_true, 1.0, np.where(unknown, np.nan, 0.0))


@logical_or.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return (x != 0) | (y != 0)


@operator(Axis.CELL)
def logical_not(x: Input) -> Factor:
    """`~x`: 1 where `x` is 0, 0 where it is anything else, missing where it is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(~(fl.close > 11)))
    date           A    B    C
    2024-01-02   1.0  0.0    -
    2024-01-03   1.0  0.0  1.0
    2024-01-04   0.0  0.0  1.0
    """


@logical_not.meaning
def _(x: Array) -> Array:
    return _truth(np.equal(x, 0), x)


@logical_not.polars
def _(x: pl.Expr) -> pl.Expr:
    return x == 0


# --- choosing ---------------------------------------------------------------------------------------------------


@operator(Axis.CELL)
def where(condition: Input, x: Input, y: Input = np.nan) -> Factor:
    """`x` where the condition is true (not 0), `y` where it is 0, missing where it is missing.

    `where(member, x)` restricts a factor to a universe: what is not a member is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.where(fl.close > 10, fl.close)))
    date            A     B  C
    2024-01-02      -  20.0  -
    2024-01-03   11.0  19.0  -
    2024-01-04   12.0  22.0  -
    """


@where.meaning
def _(condition: Array, x: Array, y: Array) -> Array:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, x, y))


@where.polars
def _(condition: pl.Expr, x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(condition != 0).then(x).when(condition == 0).then(y)


@operator(Axis.CELL)
def is_missing(x: Input) -> Factor:
    """1 where `x` is missing, 0 elsewhere.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.is_missing(fl.returns)))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   0.0  0.0  1.0
    2024-01-04   0.0  0.0  0.0

    Symbol C has no bar on the first date: where there is no bar there is no value.
    """


@is_missing.meaning
def _(x: Array) -> Array:
    return np.isnan(x).astype(np.float64)


@is_missing.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.is_null()


@operator(Axis.CELL)
def fill(x: Input, y: Input) -> Factor:
    """`x`, or `y` where `x` is missing.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.fill(fl.returns, 0)))
    date             A      B    C
    2024-01-02     0.0    0.0    -
    2024-01-03     0.1  -0.05  0.0
    2024-01-04   0.091  0.158  0.4
    """


@fill.meaning
def _(x: Array, y: Array) -> Array:
    return np.where(np.isnan(x), y, x)


@fill.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.coalesce(x, y)
