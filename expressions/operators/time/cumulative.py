"""Sums, products and extremes of all values of a symbol so far.

They are missing where the input is. Their memory is unbounded, and the meaning sees the whole series up to the current
bar.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.window import Array, present

__all__ = ["ts_cummax", "ts_cummin", "ts_cumprod", "ts_cumsum"]


@operator(Axis.TIME, unbounded=True)
def ts_cumsum(x: Input) -> Factor:
    """The sum of all values of the symbol so far; missing where `x` is. Memory: unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_cumsum(fl.close)))
    date            A     B     C
    2024-01-02   10.0  20.0     -
    2024-01-03   21.0  39.0   5.0
    2024-01-04   33.0  61.0  12.0
    """


@ts_cumsum.meaning
def _(x: Array) -> float:
    return math.fsum(present(x)) if not np.isnan(x[-1]) else np.nan


@ts_cumsum.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.cum_sum()


@ts_cumsum.kernel
def _(x: Array, out: Array) -> None:
    total = error = 0.0  # what rounding has taken from the total: Knuth's exact sum of two numbers
    for i in range(x.size):
        value = x[i] if x[i] == x[i] else 0.0
        rounded = total + value
        added = rounded - total
        error += (total - (rounded - added)) + (value - added)
        total = rounded
        out[i] = total + error if x[i] == x[i] else np.nan


@operator(Axis.TIME, unbounded=True)
def ts_cumprod(x: Input) -> Factor:
    """The product of all values of the symbol so far; missing where `x` is. Memory: unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_cumprod(1 + fl.returns)))
    date           A     B    C
    2024-01-02     -     -    -
    2024-01-03   1.1  0.95    -
    2024-01-04   1.2   1.1  1.4
    """


@ts_cumprod.meaning
def _(x: Array) -> float:
    return float(present(x).prod()) if not np.isnan(x[-1]) else np.nan


@ts_cumprod.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.cum_prod()


@ts_cumprod.kernel
def _(x: Array, out: Array) -> None:
    product = 1.0
    for i in range(x.size):
        product *= x[i] if x[i] == x[i] else 1.0
        out[i] = product if x[i] == x[i] else np.nan


@operator(Axis.TIME, unbounded=True)
def ts_cummax(x: Input) -> Factor:
    """The largest of all values of the symbol so far; missing where `x` is. Memory: unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_cummax(fl.close)))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   11.0  20.0  5.0
    2024-01-04   12.0  22.0  7.0
    """


@ts_cummax.meaning
def _(x: Array) -> float:
    return float(present(x).max()) if not np.isnan(x[-1]) else np.nan


@ts_cummax.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.cum_max()


@ts_cummax.kernel
def _(x: Array, out: Array) -> None:
    top = -np.inf
    for i in range(x.size):
        top = x[i] if x[i] > top else top
        out[i] = top if x[i] == x[i] else np.nan


@operator(Axis.TIME, unbounded=True)
def ts_cummin(x: Input) -> Factor:
    """The smallest of all values of the symbol so far; missing where `x` is. Memory: unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_cummin(fl.close)))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   10.0  19.0  5.0
    2024-01-04   10.0  19.0  5.0
    """


@ts_cummin.meaning
def _(x: Array) -> float:
    return float(present(x).min()) if not np.isnan(x[-1]) else np.nan


@ts_cummin.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.cum_min()


@ts_cummin.kernel
def _(x: Array, out: Array) -> None:
    bottom = np.inf
    for i in range(x.size):
        bottom = x[i] if x[i] < bottom else bottom
        out[i] = bottom if x[i] == x[i] else np.nan
