"""Sums, means and their kin over the last bars of a symbol.

A window is the last `window` bars of a symbol, the current one included. It needs `min_samples` present values (by
default as many as it has bars) and ignores those that are missing. The meaning sees one window, oldest bar first, NaN
where a value is missing.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.block import block_moments, block_sums
from factorloom.expressions.operators.window import (
    Array,
    Pair,
    PairSamples,
    around_member,
    average,
    centred,
    count_of,
    present,
    spread_of,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import Count, MinSamples, Samples, Window

__all__ = ["ts_count", "ts_decay_linear", "ts_mean", "ts_skew", "ts_std", "ts_sum", "ts_zscore"]


@operator(Axis.TIME, lookback=window_bars)
def ts_count(x: Input, window: Window) -> Factor:
    """How many of the last `window` bars have a value.

    Never missing: the first bar of a symbol has 0 or 1.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_count(fl.returns, 2)))
    date           A    B    C
    2024-01-02   0.0  0.0    -
    2024-01-03   1.0  1.0  0.0
    2024-01-04   2.0  2.0  1.0
    """


@ts_count.meaning
def _(x: Array) -> float:
    return float(present(x).size)


@ts_count.polars
def _(x: pl.Expr, window: int) -> pl.Expr:
    return count_of(x, window)


@ts_count.kernel
def _(x: Array, window: int, out: Array) -> None:
    block_sums(x, window, out, np.empty(x.size))


@operator(Axis.TIME, lookback=window_bars)
def ts_sum(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The sum of the last `window` values.

    Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_sum(fl.close, 2)))
    date            A     B     C
    2024-01-02      -     -     -
    2024-01-03   21.0  39.0     -
    2024-01-04   23.0  41.0  12.0
    """


@ts_sum.meaning
def _(x: Array) -> float:
    return float(present(x).sum())


@ts_sum.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return x.rolling_sum(window, min_samples=min_samples)


@ts_sum.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count = np.empty(x.size)
    block_sums(x, window, count, out)
    for i in range(x.size):
        if count[i] < min_samples:
            out[i] = np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_mean(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The mean of the last `window` values: the simple moving average.

    Missing where fewer than `min_samples` are present (default: `window`). Exact for a
    constant and for whole numbers, so that equal windows tie.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_mean(fl.close, 2)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03   10.5  19.5    -
    2024-01-04   11.5  20.5  6.0
    >>> print(fl.example().show(fl.ts_mean(fl.close, 2, min_samples=1)))
    date            A     B    C
    2024-01-02   10.0  20.0    -
    2024-01-03   10.5  19.5  5.0
    2024-01-04   11.5  20.5  6.0
    """


@ts_mean.meaning
def _(x: Array) -> float:
    return average(present(x))


@ts_mean.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    base, deviations = around_member(x, window)
    count, total = count_of(x, window), pl.sum_horizontal(deviations)
    mean = pl.when(total == 0).then(base).otherwise((count * base + total) / count)
    return where_enough(mean, count, min_samples)


@ts_mean.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, total, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, total, square)
    for i in range(x.size):
        if count[i] < min_samples:
            out[i] = np.nan
        else:
            out[i] = base[i] if total[i] == 0 else (count[i] * base[i] + total[i]) / count[i]


@operator(Axis.TIME, lookback=window_bars)
def ts_decay_linear(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The linearly weighted mean of the last `window` values: the newest weighs `window`, the oldest 1.

    The weights of missing values are left out of the sum of weights. Missing where fewer than `min_samples` are
    present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_decay_linear(fl.close, 2)))
    date              A       B      C
    2024-01-02        -       -      -
    2024-01-03   10.667  19.333      -
    2024-01-04   11.667    21.0  6.333
    """


@ts_decay_linear.meaning
def _(x: Array) -> float:
    there, weight = ~np.isnan(x), np.arange(1.0, x.size + 1)
    return float(np.average(x[there], weights=weight[there]))


@ts_decay_linear.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    bars = [x.shift(k) for k in range(window)]
    total = pl.sum_horizontal([bar * (window - k) for k, bar in enumerate(bars)])
    weights = pl.sum_horizontal([bar.is_not_null().cast(pl.Float64) * (window - k) for k, bar in enumerate(bars)])
    return where_enough(total / weights, count_of(x, window), min_samples)


@ts_decay_linear.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    for i in range(x.size):
        total = weights = 0.0
        count = 0
        for j in range(max(0, i - window + 1), i + 1):
            if not np.isnan(x[j]):
                weight = window - (i - j)
                total += weight * x[j]
                weights += weight
                count += 1
        out[i] = total / weights if count >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_std(x: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """The sample standard deviation (ddof 1) of the last `window` values, per bar: not annualised.

    Missing where fewer than `min_samples` are present (default: `window`, at least 2). Exactly 0 for a constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_std(fl.close, 2)))
    date             A      B      C
    2024-01-02       -      -      -
    2024-01-03   0.707  0.707      -
    2024-01-04   0.707  2.121  1.414
    """


@ts_std.meaning
def _(x: Array) -> float:
    return float(centred(present(x)).std(ddof=1))


@ts_std.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    count, _base, _total, square = spread_of(x, window)
    return where_enough((square / (count - 1)).sqrt(), count, min_samples)


@ts_std.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, total, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, total, square)
    for i in range(x.size):
        out[i] = np.sqrt(square[i] / (count[i] - 1)) if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars)
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
    count, base, total, square = spread_of(x, window)
    deviation = (count * (x - base) - total) / count
    return where_enough(deviation / (square / (count - 1)).sqrt(), count, min_samples)


@ts_zscore.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, total, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, total, square)
    for i in range(x.size):
        if count[i] >= min_samples and square[i] > 0:
            deviation = (count[i] * (x[i] - base[i]) - total[i]) / count[i]
            out[i] = deviation / np.sqrt(square[i] / (count[i] - 1))
        else:
            out[i] = np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_skew(
    x: Input,
    window: Annotated[int, Count(3, "the skewness of two values is undefined")],
    *,
    min_samples: Annotated[int | None, Samples(3)] = None,
) -> Factor:
    """The adjusted Fisher-Pearson skewness of the last `window` values, as pandas' `rolling.skew`.

    `sqrt(n (n - 1)) / (n - 2) * m3 / m2 ** 1.5` with the central moments `m2` and `m3` of `n` present values.
    Missing where fewer than `min_samples` are present (default: `window`, at least 3), and for a constant window.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_skew(fl.close, 3)))
    date           A      B  C
    2024-01-02     -      -  -
    2024-01-03     -      -  -
    2024-01-04   0.0  0.935  -
    """


@ts_skew.meaning
def _(x: Array) -> float:
    d = centred(present(x))
    n = d.size
    return float(np.sqrt(n * (n - 1)) / (n - 2) * (d**3).mean() / (d**2).mean() ** 1.5)


@ts_skew.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    _base, deviations = around_member(x, window)
    n, mean = count_of(x, window), pl.sum_horizontal(deviations) / count_of(x, window)
    m2 = pl.sum_horizontal([d * d for d in deviations]) / n
    m3 = pl.sum_horizontal([d * d * d for d in deviations]) / n
    central2, central3 = m2 - mean * mean, m3 - 3 * mean * m2 + 2 * mean * mean * mean
    return where_enough((n * (n - 1)).sqrt() / (n - 2) * central3 / central2.pow(1.5), n, min_samples)


@ts_skew.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, total, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, total, square)
    for i in range(x.size):
        n = count[i]
        if n < min_samples or not square[i] > 0:
            out[i] = np.nan
            continue
        cube = 0.0
        for j in range(max(0, i - window + 1), i + 1):
            if not np.isnan(x[j]):
                deviation = (n * (x[j] - base[i]) - total[i]) / n
                cube += deviation * deviation * deviation
        out[i] = np.sqrt(n * (n - 1)) / (n - 2) * (cube / n) / (square[i] / n) ** 1.5
