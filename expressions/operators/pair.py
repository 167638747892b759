"""How two inputs move together over the last bars of a symbol.

Only bars where both are present count; windows are as in `moment.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.block import block_comoments
from factorloom.expressions.operators.window import (
    Array,
    Pair,
    PairSamples,
    centred,
    joint_of,
    paired,
    where_enough,
    window_bars,
)

__all__ = ["ts_beta", "ts_corr"]


@operator(Axis.TIME, lookback=window_bars)
def ts_corr(x: Input, y: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """Pearson's correlation of two inputs over the last `window` bars.

    Only bars where both are present count; missing where fewer than `min_samples` do (default: `window`, at
    least 2), and where either is constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_corr(fl.close, fl.volume, 3)))
    date              A      B  C
    2024-01-02        -      -  -
    2024-01-03        -      -  -
    2024-01-04   -0.327  0.655  -
    """


@ts_corr.meaning
def _(x: Array, y: Array) -> float:
    a, b = map(centred, paired(x, y))
    return float((a * b).sum() / (np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())))


@ts_corr.polars
def _(x: pl.Expr, y: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    count, square_x, square_y, product = joint_of(x, y, window)
    return where_enough((product / (square_x.sqrt() * square_y.sqrt())).clip(-1, 1), count, min_samples)


@ts_corr.kernel
def _(x: Array, y: Array, window: int, min_samples: int, out: Array) -> None:
    count, square_x, square_y = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_comoments(x, y, window, count, square_x, square_y, out)
    for i in range(x.size):
        scale = np.sqrt(square_x[i]) * np.sqrt(square_y[i])
        out[i] = min(1.0, max(-1.0, out[i] / scale)) if count[i] >= min_samples and scale > 0 else np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_beta(x: Input, y: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """The slope of `x` on `y` over the last `window` bars: `cov(x, y) / var(y)`.

    Only bars where both are present count; missing where fewer than `min_samples` do (default: `window`, at
    least 2), and where `y` is constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_beta(fl.close, fl.volume, 3)))
    date              A    B  C
    2024-01-02        -    -  -
    2024-01-03        -    -  -
    2024-01-04   -0.021  0.1  -
    """


@ts_beta.meaning
def _(x: Array, y: Array) -> float:
    a, b = map(centred, paired(x, y))
    return float((a * b).sum() / (b * b).sum())


@ts_beta.polars
def _(x: pl.Expr, y: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    count, _square_x, square_y, product = joint_of(x, y, window)
    return where_enough(product / square_y, count, min_samples)


@ts_beta.kernel
def _(x: Array, y: Array, window: int, min_samples: int, out: Array) -> None:
    count, square_x, square_y = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_comoments(x, y, window, count, square_x, square_y, out)
    for i in range(x.size):
        out[i] = out[i] / square_y[i] if count[i] >= min_samples and square_y[i] > 0 else np.nan
