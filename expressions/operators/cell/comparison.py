"""Comparisons of the values of one bar: 1, 0, or missing where either side is missing."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator

__all__ = ["equal", "greater", "greater_equal", "less", "less_equal", "not_equal"]

Array: TypeAlias = npt.NDArray[np.float64]


def truth(value: npt.NDArray[np.bool_], *inputs: Array) -> Array:
    """1 and 0 for a comparison, missing where any input is missing."""
    out = value.astype(np.float64)
    for x in inputs:
        out = np.where(np.isnan(x), np.nan, out)
    return out


def mark(is_true: bool, x: float, y: float) -> float:
    """1 or 0 for one comparison, missing where either side is missing: `truth` in a kernel."""
    return np.nan if np.isnan(x) | np.isnan(y) else 1.0 if is_true else 0.0


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
    return truth(np.equal(x, y), x, y)


@equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x == y


@equal.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] == y[i], x[i], y[i])


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
    return truth(np.not_equal(x, y), x, y)


@not_equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x != y


@not_equal.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] != y[i], x[i], y[i])


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
    return truth(np.less(x, y), x, y)


@less.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x < y


@less.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] < y[i], x[i], y[i])


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
    return truth(np.less_equal(x, y), x, y)


@less_equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x <= y


@less_equal.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] <= y[i], x[i], y[i])


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
    return truth(np.greater(x, y), x, y)


@greater.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x > y


@greater.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] > y[i], x[i], y[i])


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
    return truth(np.greater_equal(x, y), x, y)


@greater_equal.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x >= y


@greater_equal.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = mark(x[i] >= y[i], x[i], y[i])
