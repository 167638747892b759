"""How two inputs move together over the last bars of a symbol, or one with its own past.

Only bars where both are present count; windows are as in `moment.py`. A covariance or a spread that is rounding noise
is 0 (see `loop/noise.py`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.block import comoments, shared_comoments
from factorloom.expressions.operators.loop.short import SHORT, correlate_short, covary_short
from factorloom.expressions.operators.loop.window import (
    Array,
    Pair,
    PairSamples,
    centred,
    of_joint,
    paired,
    products_of,
    window_bars,
)
from factorloom.expressions.operators.time.shift import ts_delay
from factorloom.expressions.parameter import Periods

__all__ = ["ts_autocorr", "ts_beta", "ts_corr", "ts_cov"]


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_cov(x: Input, y: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """The sample covariance (ddof 1) of two inputs over the last `window` bars.

    Only bars where both are present count; missing where fewer than `min_samples` do (default: `window`, at
    least 2). Exactly 0 where either is constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_cov(fl.close, fl.open_, 2)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03   0.25   0.5    -
    2024-01-04    0.5  0.75  1.0
    """


@ts_cov.meaning
def _(x: Array, y: Array) -> float:
    a, b = map(centred, paired(x, y))
    return products_of(a, b) / (a.size - 1)


@ts_cov.polars
def _(x: pl.Expr, y: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return of_joint(x, y, window, min_samples, lambda s, *_: s.scatter_xy / (s.n * (s.n - 1)))


@ts_cov.kernel
def _(x: Array, y: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    if window <= SHORT and min_samples == window:
        covary_short(x, y, window, out)
    else:
        _covary(x, y, window, min_samples, first_bar, out)


def _covary(x: Array, y: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    rows = np.empty((8, x.size))
    count, scatter_xy = rows[0], rows[7]
    comoments(x, y, window, first_bar, count, rows[1], rows[2], rows[3], rows[4], rows[5], rows[6], scatter_xy)
    for i in range(out.size):
        covariance = scatter_xy[i] / (count[i] * (count[i] - 1))
        out[i] = covariance if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
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
    return float(products_of(a, b) / (np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())))


@ts_corr.polars
def _(x: pl.Expr, y: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return of_joint(
        x, y, window, min_samples, lambda s, *_: (s.scatter_xy / (s.scatter_x.sqrt() * s.scatter_y.sqrt())).clip(-1, 1)
    )


@ts_corr.kernel
def _(x: Array, y: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    if window <= SHORT and min_samples == window:
        correlate_short(x, y, window, out)
    else:
        _correlate(x, y, window, min_samples, first_bar, out)


def _correlate(x: Array, y: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    rows = np.empty((8, x.size))
    count, scatter_x, scatter_y, scatter_xy = rows[0], rows[5], rows[6], rows[7]
    comoments(x, y, window, first_bar, count, rows[1], rows[2], rows[3], rows[4], scatter_x, scatter_y, scatter_xy)
    for i in range(out.size):
        correlation = scatter_xy[i] / (np.sqrt(scatter_x[i]) * np.sqrt(scatter_y[i]))
        out[i] = max(min(correlation, 1.0), -1.0) if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
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
    return float(products_of(a, b) / (b * b).sum())


@ts_beta.polars
def _(x: pl.Expr, y: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return of_joint(x, y, window, min_samples, lambda s, *_: s.scatter_xy / s.scatter_y)


@ts_beta.kernel_from(shared_comoments)
def _(count: Array, scatter_y: Array, scatter_xy: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        out[i] = scatter_xy[i] / scatter_y[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=lambda window, lag, **_: window - 1 + lag)
def ts_autocorr(x: Input, window: Pair, *, lag: Periods = 1, min_samples: PairSamples = None) -> Factor:
    """The correlation of an input with its own value `lag` bars before: `ts_corr(x, ts_delay(x, lag), window)`.

    Each side has its own mean. Only bars where both are present count; missing where fewer than `min_samples` do
    (default: `window`, at least 2), and where either is constant.

    >>> import factorloom as fl
    >>> print(fl.ts_autocorr(fl.close, 20))
    ts_corr(close, ts_delay(close, 1), 20)
    """
    return ts_corr(x, ts_delay(x, lag), window, min_samples=min_samples)
