"""The current value relative to its window: in standard deviations, or within the range.

Windows and missing values are as in `moment.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.block import moments
from factorloom.expressions.operators.loop.bound import counts, highs, lows
from factorloom.expressions.operators.loop.noise import denoised_spread, denoised_spread_column
from factorloom.expressions.operators.loop.window import (
    Array,
    Pair,
    PairSamples,
    centred,
    present,
    spread_of,
    where_enough,
    window_bars,
)

__all__ = ["ts_scale", "ts_zscore"]


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_zscore(x: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """`(x - ts_mean(x, window)) / ts_std(x, window)`.

    Missing where `x` is, where fewer than `min_samples` are present (default: `window`, at least 2), and where the
    window is constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_zscore(fl.close, 3)))
    date           A      B  C
    2024-01-02     -      -  -
    2024-01-03     -      -  -
    2024-01-04   1.0  1.091  -
    """


@ts_zscore.meaning
def _(x: Array) -> float:
    deviations = centred(present(x))
    return float(deviations[-1] / deviations.std(ddof=1)) if not np.isnan(x[-1]) else np.nan


@ts_zscore.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    count, base, total, scatter = spread_of(x, window)
    deviation = (count * (x - base) - total) / count
    return where_enough(deviation / (scatter / (count * (count - 1))).sqrt(), count, min_samples)


@ts_zscore.kernel_from(moments)
def _(x: Array, count: Array, base: Array, total: Array, scatter: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        n = count[i]
        deviation = (n * (x[i] - base[i]) - total[i]) / n
        score = deviation / np.sqrt(scatter[i] / (n * (n - 1)))
        out[i] = score if n >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_scale(x: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """The position of `x` between the smallest (0) and the largest (1) of the last `window` values: the stochastic %K.

    `(x - ts_min(x, window)) / (ts_max(x, window) - ts_min(x, window))`. Missing where `x` is, where fewer than
    `min_samples` are present (default: `window`, at least 2), and where the window is constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_scale(fl.close, 3)))
    date           A    B  C
    2024-01-02     -    -  -
    2024-01-03     -    -  -
    2024-01-04   1.0  1.0  -
    """


@ts_scale.meaning
def _(x: Array) -> float:
    low, high = present(x).min(), present(x).max()
    return float((x[-1] - low) / denoised_spread(high - low, low))


@ts_scale.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    low, high = x.rolling_min(window, min_samples=min_samples), x.rolling_max(window, min_samples=min_samples)
    return (x - low) / denoised_spread_column(high - low, low)


@ts_scale.kernel_from(counts, highs, lows)
def _(x: Array, count: Array, top: Array, bottom: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        position = (x[i] - bottom[i]) / denoised_spread(top[i] - bottom[i], bottom[i])
        out[i] = position if count[i] >= min_samples else np.nan
