"""Operators that remember the whole history of a symbol.

Their memory is unbounded: a value needs every older bar, and `lookback` tells only the warm-up. The meaning sees the
whole series up to the current bar.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.parameter import MinSamples, Window

__all__ = ["ts_cumsum", "ts_ema"]

Array: TypeAlias = npt.NDArray[np.float64]


@operator(Axis.TIME, lookback=lambda min_samples, **_: min_samples - 1, unbounded=True)
def ts_ema(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The exponential moving average with smoothing `2 / (window + 1)`.

    `ema = ema + 2 / (window + 1) * (x - ema)`, starting from the first present value (pandas'
    `ewm(span=window, adjust=False, ignore_na=True)`). A missing value leaves the average as it is. Missing until
    `min_samples` values have been seen (default: `window`). Memory: unbounded.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_ema(fl.close, 2)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.667  19.333      -
    2024-01-04   11.556  21.111  6.333
    """


@ts_ema.meaning
def _(x: Array, window: int) -> float:
    values = x[~np.isnan(x)]
    average = values[0]
    for value in values[1:]:
        average += 2 / (window + 1) * (value - average)
    return float(average)


@ts_ema.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return x.ewm_mean(alpha=2 / (window + 1), adjust=False, ignore_nulls=True, min_samples=min_samples).forward_fill()


@ts_ema.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    smoothing, average, count = 2 / (window + 1), 0.0, 0
    for i in range(x.size):
        if not np.isnan(x[i]):
            average = x[i] if count == 0 else average + smoothing * (x[i] - average)
            count += 1
        out[i] = average if count >= min_samples else np.nan


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
    return math.fsum(x[~np.isnan(x)]) if not np.isnan(x[-1]) else np.nan


@ts_cumsum.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.cum_sum()


@ts_cumsum.kernel
def _(x: Array, out: Array) -> None:
    total = lost = 0.0
    for i in range(x.size):
        if np.isnan(x[i]):
            out[i] = np.nan
            continue
        added = x[i] - lost
        sum_ = total + added
        lost = (sum_ - total) - added
        total = sum_
        out[i] = total
