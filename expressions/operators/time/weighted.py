"""Weighted means over the last bars of a symbol.

Windows and missing values are as in `moment.py`; the weight of a missing value is left out of the sum of weights. The
loops follow the block method of `block.py`.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.short import SHORT, decay_short
from factorloom.expressions.operators.loop.window import (
    Array,
    added,
    around_base,
    count_of,
    paired,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import MinSamples, Real, Window

__all__ = ["ts_decay_exp", "ts_decay_linear", "ts_wma"]


@operator(Axis.TIME, lookback=window_bars)
def ts_decay_linear(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The linearly weighted mean of the last `window` values: the newest weighs `window`, the oldest 1.

    The weights of missing values are left out of the sum of weights. Missing where fewer than `min_samples` are
    present (default: `window`). Exact for a constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_decay_linear(fl.close, 2)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.667  19.333      -
    2024-01-04   11.667    21.0  6.333
    """


@ts_decay_linear.meaning
def _(x: Array) -> float:
    is_present, weight = ~np.isnan(x), np.arange(1.0, x.size + 1)
    return float(np.average(x[is_present], weights=weight[is_present]))


@ts_decay_linear.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return _weighted(x, [float(window - k) for k in range(window)], min_samples)


@ts_decay_linear.kernel
def _(x: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    if window <= SHORT and min_samples == window:
        decay_short(x, window, out)
    else:
        _decay(x, window, min_samples, first_bar, out)


def _decay(x: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    tail = np.zeros((3, min(window, x.size + first_bar % window)))
    tail_n, tail_d, tail_w = tail[0], tail[1], tail[2]
    last = 0.0
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        first = last
        n = s = d = w = 0.0  # weighted sums of deviations and of weights, as if the first bar of the head weighed 0
        for k in range(low, width):
            i = np.uint64(start + k)
            value = x[i]
            if value == value:
                if n == 0.0:
                    first = value
                n += 1.0
                s += value - first
                d += k * (value - first)
                w += k
            more = window - k
            weight = (w + more * n) + tail_w[k]
            deviation = (d + more * s) + (tail_d[k] + (last - first) * tail_w[k])
            mean = (weight * first + deviation) / weight if deviation != 0.0 else first
            out[i] = mean if n + tail_n[k] >= min_samples else np.nan
        n = s = d = w = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            value = x[np.uint64(start + k)]
            if value == value:
                if n == 0.0:
                    last = value
                n += 1.0
                s += value - last
            d += s  # one bar further back, all newer ones weigh 1 more
            w += n
            j = np.uint64(k - 1)
            tail_n[j], tail_d[j], tail_w[j] = n, d, w


@operator(Axis.TIME, lookback=window_bars)
def ts_decay_exp(
    x: Input, window: Window, *, decay: Annotated[float, Real(above=0, below=1)] = 0.5, min_samples: MinSamples = None
) -> Factor:
    """The exponentially weighted mean of the last `window` values: a bar weighs `decay` times as much as the next one.

    Unlike `ts_ema` it looks back over `window` bars only. The weights of missing values are left out of the sum of
    weights. Missing where fewer than `min_samples` are present (default: `window`). Exact for a constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_decay_exp(fl.close, 2)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.667  19.333      -
    2024-01-04   11.667    21.0  6.333
    """


@ts_decay_exp.meaning
def _(x: Array, decay: float) -> float:
    is_present, weight = ~np.isnan(x), decay ** np.arange(x.size - 1.0, -1, -1)
    return float((weight * x)[is_present].sum() / weight[is_present].sum())


@ts_decay_exp.polars
def _(x: pl.Expr, window: int, decay: float, min_samples: int) -> pl.Expr:
    return _weighted(x, [decay**k for k in range(window)], min_samples)


@ts_decay_exp.kernel
def _(x: Array, window: int, decay: float, min_samples: int, first_bar: int, out: Array) -> None:
    tail = np.zeros((3, min(window, x.size + first_bar % window)))
    tail_n, tail_d, tail_w = tail[0], tail[1], tail[2]
    last = 0.0
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        newest = last
        n = d = w = 0.0
        faded = 1.0
        for k in range(low, width):
            i = np.uint64(start + k)
            value = x[i]
            d *= decay
            w *= decay
            faded *= decay
            if value == value:
                d += w * (newest - value)  # around the newest value: an old outlier as the base would cost digits
                w += 1.0
                n += 1.0
                newest = value
            weight = w + faded * tail_w[k]
            deviation = d + faded * (tail_d[k] + (last - newest) * tail_w[k])
            out[i] = newest + deviation / weight if n + tail_n[k] >= min_samples else np.nan
        n = d = w = 0.0
        faded = 1.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            value = x[np.uint64(start + k)]
            if value == value:
                if n == 0.0:
                    last = value
                d += faded * (value - last)
                w += faded
                n += 1.0
            faded *= decay
            j = np.uint64(k - 1)
            tail_n[j], tail_d[j], tail_w[j] = n, d, w


@operator(Axis.TIME, lookback=window_bars)
def ts_wma(x: Input, weight: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The mean of the last `window` values, each weighted by another input.

    `ts_wma(close, volume, 20)` is the volume-weighted average price. Only bars where both are present count; missing
    where fewer than `min_samples` do (default: `window`), and where the weights add up to 0.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_wma(fl.close, fl.volume, 2)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.545  19.488      -
    2024-01-04   11.429  20.535  6.091
    """


@ts_wma.meaning
def _(x: Array, weight: Array) -> float:
    values, weights = paired(x, weight)
    return float((values * weights).sum() / weights.sum())


@ts_wma.polars
def _(x: pl.Expr, weight: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    both = pl.when(x.is_not_null()).then(weight)
    total = added([(x * weight).shift(k) for k in range(window)])
    weights = added([both.shift(k) for k in range(window)])
    return where_enough(total / weights, count_of(both, window), min_samples)


@ts_wma.kernel
def _(x: Array, weight: Array, window: int, min_samples: int, first_bar: int, out: Array) -> None:
    tail = np.zeros((3, min(window, x.size + first_bar % window)))
    tail_n, tail_s, tail_w = tail[0], tail[1], tail[2]
    for start in range(-(first_bar % window), x.size, window):
        low, width = max(0, -start), min(window, x.size - start)
        n = s = w = 0.0
        for k in range(low, width):
            i = np.uint64(start + k)
            if x[i] == x[i] and weight[i] == weight[i]:
                n += 1.0
                s += x[i] * weight[i]
                w += weight[i]
            out[i] = (s + tail_s[k]) / (w + tail_w[k]) if n + tail_n[k] >= min_samples else np.nan
        n = s = w = 0.0
        for k in range(width - 1, max(low, 1) - 1, -1):
            i = np.uint64(start + k)
            if x[i] == x[i] and weight[i] == weight[i]:
                n += 1.0
                s += x[i] * weight[i]
                w += weight[i]
            j = np.uint64(k - 1)
            tail_n[j], tail_s[j], tail_w[j] = n, s, w


def _weighted(x: pl.Expr, weights: list[float], min_samples: int) -> pl.Expr:
    """The mean with these weights, that of the current bar first."""
    base, deviations = around_base(x, len(weights))
    total = added([d * weight for d, weight in zip(deviations, weights, strict=True)])
    present = [d.is_not_null().cast(pl.Float64) * weight for d, weight in zip(deviations, weights, strict=True)]
    mean = base + total / added(present)
    return where_enough(mean, count_of(x, len(weights)), min_samples)
