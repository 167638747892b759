"""Truth and choice among the values of one bar.

Truth values are 1, 0 and missing; any number but 0 counts as true. A missing value is unknown, as in Kleene's logic.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.cell.comparison import mark, truth

__all__ = [
    "fill",
    "is_missing",
    "logical_and",
    "logical_not",
    "logical_or",
    "where",
]

Array: TypeAlias = npt.NDArray[np.float64]


# --- Kleene's logic: a missing value is unknown ------------------------------------------------------------------


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


@logical_and.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = 0.0 if (x[i] == 0) | (y[i] == 0) else mark(True, x[i], y[i])


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


@logical_or.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        is_true = (np.abs(x[i]) > 0) | (np.abs(y[i]) > 0)
        out[i] = 1.0 if is_true else mark(False, x[i], y[i])


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
    return truth(np.equal(x, 0), x)


@logical_not.polars
def _(x: pl.Expr) -> pl.Expr:
    return x == 0


@logical_not.kernel
def _(x: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] == 0, x[i], x[i])


# --- choosing ---------------------------------------------------------------------------------------------------


@operator(Axis.CELL)
def where(condition: Input, x: Input, y: Input = np.nan) -> Factor:
    """`x` where the condition is true (not 0), `y` where it is 0, missing where it is missing.

    `where(member, x)` restricts a factor to a universe: it is missing for other symbols.

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


@where.kernel
def _(condition: Array, x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        a, b = x[i], y[i]  # both are read before one is chosen: compiled code can then choose several at once
        chosen = a if condition[i] != 0 else b
        out[i] = np.nan if np.isnan(condition[i]) else chosen


@operator(Axis.CELL)
def is_missing(x: Input) -> Factor:
    """1 where `x` is missing, 0 elsewhere.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.is_missing(fl.returns)))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   0.0  0.0  1.0
    2024-01-04   0.0  0.0  0.0

    Symbol C has no bar on the first date, and so no value.
    """


@is_missing.meaning
def _(x: Array) -> Array:
    return np.isnan(x).astype(np.float64)


@is_missing.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.is_null()


@is_missing.kernel
def _(x: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = 1.0 if np.isnan(x[i]) else 0.0


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


@fill.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = y[i] if np.isnan(x[i]) else x[i]
