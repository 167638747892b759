"""Arithmetic on the values of one bar.

The meaning works on whole columns (NaN is missing) and is also what the engine runs, tile by tile. Every result that
is not finite becomes missing.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator

__all__ = ["add", "divide", "max", "min", "modulo", "multiply", "negate", "power", "subtract"]

Array: TypeAlias = npt.NDArray[np.float64]


@operator(Axis.CELL)
def add(x: Input, y: Input) -> Factor:
    """`x + y`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close + 1))
    date            A     B    C
    2024-01-02   11.0  21.0    -
    2024-01-03   12.0  20.0  6.0
    2024-01-04   13.0  23.0  8.0
    """


add.meaning(np.add)


@add.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x + y


@operator(Axis.CELL)
def subtract(x: Input, y: Input) -> Factor:
    """`x - y`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.high - fl.low))
    date           A    B    C
    2024-01-02   1.0  2.0    -
    2024-01-03   1.5  2.5  0.5
    2024-01-04   1.0  3.5  2.0
    """


subtract.meaning(np.subtract)


@subtract.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x - y


@operator(Axis.CELL)
def multiply(x: Input, y: Input) -> Factor:
    """`x * y`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close * fl.volume))
    date              A       B      C
    2024-01-02   1000.0  4000.0      -
    2024-01-03   1320.0  3990.0  250.0
    2024-01-04   1080.0  4840.0  420.0
    """


multiply.meaning(np.multiply)


@multiply.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x * y


@operator(Axis.CELL)
def divide(x: Input, y: Input) -> Factor:
    """`x / y`; missing where `y` is 0.

    >>> import factorloom as fl
    >>> print(fl.example().show(1 / (fl.close - 11)))
    date            A      B       C
    2024-01-02   -1.0  0.111       -
    2024-01-03      -  0.125  -0.167
    2024-01-04    1.0  0.091   -0.25
    """


divide.meaning(np.divide)


@divide.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x / y


@operator(Axis.CELL)
def modulo(x: Input, y: Input) -> Factor:
    """The remainder `x - y * floor(x / y)`, with the sign of `y`; missing where `y` is 0.

    The quotient is rounded to Float64 first, so that `1 % 0.1` is 0 where Python's own `%` gives 0.0999….

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.close % 7))
    date           A    B    C
    2024-01-02   3.0  6.0    -
    2024-01-03   4.0  5.0  5.0
    2024-01-04   5.0  1.0  0.0
    """


@modulo.meaning
def _(x: Array, y: Array) -> Array:
    return x - y * np.floor(x / y)


@modulo.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return x - y * (x / y).floor()


@modulo.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = x[i] - y[i] * np.floor(x[i] / y[i])


@operator(Axis.CELL)
def power(x: Input, y: Input) -> Factor:
    """`x ** y`; missing where either is missing, and where the result is not a real number.

    >>> import factorloom as fl
    >>> print(fl.example().show((fl.close - 11) ** 0.5))
    date           A      B  C
    2024-01-02     -    3.0  -
    2024-01-03   0.0  2.828  -
    2024-01-04   1.0  3.317  -
    """


@power.meaning
def _(x: Array, y: Array) -> Array:
    return np.where(np.isnan(x) | np.isnan(y), np.nan, np.power(x, y))


@power.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(x.is_not_null() & y.is_not_null()).then(x.pow(y))


@power.kernel
def _(x: Array, y: Array, out: Array) -> None:
    for i in range(out.size):
        value = x[i] * x[i] if y[i] == 2 else x[i] ** y[i]  # a general power takes ten times as long as a square
        out[i] = np.nan if np.isnan(x[i]) | np.isnan(y[i]) else value


@operator(Axis.CELL)
def negate(x: Input) -> Factor:
    """`-x`.

    >>> import factorloom as fl
    >>> print(fl.example().show(-fl.close))
    date             A      B     C
    2024-01-02   -10.0  -20.0     -
    2024-01-03   -11.0  -19.0  -5.0
    2024-01-04   -12.0  -22.0  -7.0
    """


negate.meaning(np.negative)


@negate.polars
def _(x: pl.Expr) -> pl.Expr:
    return -x


@operator(Axis.CELL)
def min(x: Input, y: Input) -> Factor:
    """The smaller of two values of a bar; missing where either is missing.

    `min_of(x, y, ...)` takes any number of values and ignores missing ones.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.min(fl.close, 11)))
    date            A     B    C
    2024-01-02   10.0  11.0    -
    2024-01-03   11.0  11.0  5.0
    2024-01-04   11.0  11.0  7.0
    """


min.meaning(np.minimum)


@min.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(x <= y).then(x).when(x > y).then(y)


@operator(Axis.CELL)
def max(x: Input, y: Input) -> Factor:
    """The larger of two values of a bar; missing where either is missing.

    `max_of(x, y, ...)` takes any number of values and ignores missing ones.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.max(fl.close, 11)))
    date            A     B     C
    2024-01-02   11.0  20.0     -
    2024-01-03   11.0  19.0  11.0
    2024-01-04   12.0  22.0  11.0
    """


max.meaning(np.maximum)


@max.polars
def _(x: pl.Expr, y: pl.Expr) -> pl.Expr:
    return pl.when(x >= y).then(x).when(x < y).then(y)
