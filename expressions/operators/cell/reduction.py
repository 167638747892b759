"""Several factors of one bar reduced to one number.

Missing inputs are ignored, and a result is missing only where all of them are. Where every input must be present, write
`x + y`, or `max(x, y)` and `min(x, y)` of `arithmetic.py`.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator

__all__ = ["count_of", "max_of", "mean_of", "min_of", "sum_of"]

Array: TypeAlias = npt.NDArray[np.float64]


@operator(Axis.CELL)
def count_of(*inputs: Input) -> Factor:
    """How many of the inputs are present: never missing.

    `where(count_of(x, y, z) >= 2, mean_of(x, y, z))` needs two of three.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.count_of(fl.close, fl.returns)))
    date           A    B    C
    2024-01-02   1.0  1.0    -
    2024-01-03   2.0  2.0  1.0
    2024-01-04   2.0  2.0  2.0
    """


@count_of.meaning
def _(*inputs: Array) -> Array:
    count: Array = np.sum(~np.isnan(inputs), axis=0, dtype=np.float64)
    return count


@count_of.polars
def _(*inputs: pl.Expr) -> pl.Expr:
    return pl.sum_horizontal(x.is_not_null() for x in inputs)


@count_of.kernel
def _(inputs: tuple[Array, ...], out: Array) -> None:
    out[:] = 0
    for k in range(len(inputs)):
        x = inputs[k]
        for i in range(out.size):
            out[i] += 0.0 if np.isnan(x[i]) else 1.0


@operator(Axis.CELL)
def sum_of(*inputs: Input) -> Factor:
    """The sum of the present inputs; missing only where all are.

    `x + y` is missing where either is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.sum_of(fl.close, fl.returns)))
    date              A       B    C
    2024-01-02     10.0    20.0    -
    2024-01-03     11.1   18.95  5.0
    2024-01-04   12.091  22.158  7.4
    """


@sum_of.meaning
def _(*inputs: Array) -> Array:
    return np.where(np.isnan(inputs).all(axis=0), np.nan, np.nansum(inputs, axis=0))


@sum_of.polars
def _(*inputs: pl.Expr) -> pl.Expr:
    return pl.when(pl.any_horizontal(x.is_not_null() for x in inputs)).then(pl.sum_horizontal(inputs))


@sum_of.kernel
def _(inputs: tuple[Array, ...], out: Array) -> None:
    out[:] = np.nan
    for k in range(len(inputs)):
        x = inputs[k]
        for i in range(out.size):
            out[i] = x[i] if np.isnan(out[i]) else out[i] if np.isnan(x[i]) else out[i] + x[i]


@operator(Axis.CELL)
def mean_of(*inputs: Input) -> Factor:
    """The mean of the present inputs; missing only where all are.

    For composites: one missing factor does not make the result missing. Exact for whole numbers, and where all inputs
    are equal.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.mean_of(fl.cs_rank(fl.close), fl.cs_rank(fl.returns))))
    date             A      B      C
    2024-01-02     0.5    1.0      -
    2024-01-03   0.833   0.75  0.333
    2024-01-04     0.5  0.833  0.667
    """


@mean_of.meaning
def _(*inputs: Array) -> Array:
    first = functools.reduce(lambda x, y: np.where(np.isnan(x), y, x), inputs)
    total, count = np.nansum(inputs - first, axis=0), (~np.isnan(inputs)).sum(axis=0)
    return np.where(total == 0, first, (count * first + total) / count)


@mean_of.polars
def _(*inputs: pl.Expr) -> pl.Expr:
    first = pl.coalesce(inputs)
    total, count = pl.sum_horizontal(x - first for x in inputs), pl.sum_horizontal(x.is_not_null() for x in inputs)
    return pl.when(total == 0).then(first).otherwise((count * first + total) / count)


@mean_of.kernel
def _(inputs: tuple[Array, ...], out: Array) -> None:
    total, count = np.zeros(out.size), np.zeros(out.size)
    out[:] = np.nan
    for k in range(len(inputs)):
        x = inputs[k]
        for i in range(out.size):
            out[i] = x[i] if np.isnan(out[i]) else out[i]
            total[i] += 0.0 if np.isnan(x[i]) else x[i] - out[i]
            count[i] += 0.0 if np.isnan(x[i]) else 1.0
    for i in range(out.size):
        out[i] = out[i] if total[i] == 0 else (count[i] * out[i] + total[i]) / count[i]


@operator(Axis.CELL)
def max_of(*inputs: Input) -> Factor:
    """The largest of the present inputs; missing only where all are.

    `max(x, y)` is missing where either is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.max_of(fl.close, fl.ts_delay(fl.close, 1))))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   11.0  20.0  5.0
    2024-01-04   12.0  22.0  7.0
    """


@max_of.meaning
def _(*inputs: Array) -> Array:
    return functools.reduce(np.fmax, inputs)


@max_of.polars
def _(*inputs: pl.Expr) -> pl.Expr:
    return pl.max_horizontal(inputs)


@max_of.kernel
def _(inputs: tuple[Array, ...], out: Array) -> None:
    out[:] = np.nan
    for k in range(len(inputs)):
        x = inputs[k]
        for i in range(out.size):
            out[i] = out[i] if np.isnan(x[i]) | (x[i] <= out[i]) else x[i]


@operator(Axis.CELL)
def min_of(*inputs: Input) -> Factor:
    """The smallest of the present inputs; missing only where all are.

    `min(x, y)` is missing where either is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.min_of(fl.close, fl.ts_delay(fl.close, 1))))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   10.0  19.0  5.0
    2024-01-04   11.0  19.0  5.0
    """


@min_of.meaning
def _(*inputs: Array) -> Array:
    return functools.reduce(np.fmin, inputs)


@min_of.polars
def _(*inputs: pl.Expr) -> pl.Expr:
    return pl.min_horizontal(inputs)


@min_of.kernel
def _(inputs: tuple[Array, ...], out: Array) -> None:
    out[:] = np.nan
    for k in range(len(inputs)):
        x = inputs[k]
        for i in range(out.size):
            out[i] = out[i] if np.isnan(x[i]) | (x[i] >= out[i]) else x[i]
