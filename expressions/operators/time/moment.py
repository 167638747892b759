"""Counts, sums, products and moments over the last bars of a symbol.

A window is the last `window` bars of a symbol, the current one included. It needs `min_samples` present values (by
default as many as it has bars) and ignores those that are missing. The meaning sees one window, oldest bar first, NaN
where a value is missing. A window whose values differ only by rounding counts as constant (see `loop/noise.py`).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.block import moments, products, shape, sums
from factorloom.expressions.operators.loop.bound import counts
from factorloom.expressions.operators.loop.noise import denoised_scatter, denoised_scatter_column
from factorloom.expressions.operators.loop.window import (
    Array,
    Pair,
    PairSamples,
    added,
    around_base,
    average,
    centred,
    count_of,
    multiplied,
    once,
    powers_of,
    present,
    spread_of,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import Count, MinSamples, Samples, Window

__all__ = ["ts_count", "ts_kurt", "ts_mean", "ts_product", "ts_skew", "ts_std", "ts_sum", "ts_var"]


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


@ts_count.kernel_from(counts)
def _(count: Array, out: Array) -> None:
    for i in range(out.size):
        out[i] = count[i]


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
    return where_enough(added([x.shift(k) for k in range(window)]), count_of(x, window), min_samples)


@ts_sum.kernel_from(counts, sums)
def _(count: Array, total: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        out[i] = total[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_mean(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The mean of the last `window` values: the simple moving average.

    Missing where fewer than `min_samples` are present (default: `window`). Exact for a constant and
    for whole numbers, so that equal windows give equal values.

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
    base, deviations = around_base(x, window)
    count, total = count_of(x, window), added(deviations)
    mean = pl.when(total == 0).then(base).otherwise((count * base + total) / count)
    return where_enough(mean, count, min_samples)


@ts_mean.kernel_from(moments)
def _(count: Array, base: Array, total: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        mean = (count[i] * base[i] + total[i]) / count[i] if total[i] != 0 else base[i]
        out[i] = mean if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_product(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The product of the last `window` values: `ts_product(1 + returns, 20)` is the growth over 20 bars.

    Missing where fewer than `min_samples` are present (default: `window`). No logarithm is taken, so zeros and signs
    are exact.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_product(fl.close, 2)))
    date             A      B     C
    2024-01-02       -      -     -
    2024-01-03   110.0  380.0     -
    2024-01-04   132.0  418.0  35.0
    """


@ts_product.meaning
def _(x: Array) -> float:
    return float(present(x).prod())


@ts_product.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    bars = [x.shift(k).fill_null(1.0) for k in range(window)]
    return where_enough(multiplied(bars), count_of(x, window), min_samples)


@ts_product.kernel_from(counts, products)
def _(count: Array, product: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        out[i] = product[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_var(x: Input, window: Pair, *, min_samples: PairSamples = None) -> Factor:
    """The sample variance (ddof 1) of the last `window` values, per bar: not annualised.

    Missing where fewer than `min_samples` are present (default: `window`, at least 2). Exactly 0 for a constant.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_var(fl.close, 2)))
    date           A    B    C
    2024-01-02     -    -    -
    2024-01-03   0.5  0.5    -
    2024-01-04   0.5  4.5  2.0
    """


@ts_var.meaning
def _(x: Array) -> float:
    return float(centred(present(x)).var(ddof=1))


@ts_var.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    count, _base, _total, scatter = spread_of(x, window)
    return where_enough(scatter / (count * (count - 1)), count, min_samples)


@ts_var.kernel_from(moments)
def _(count: Array, scatter: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        variance = scatter[i] / (count[i] * (count[i] - 1))
        out[i] = variance if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
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
    count, _base, _total, scatter = spread_of(x, window)
    return where_enough((scatter / (count * (count - 1))).sqrt(), count, min_samples)


@ts_std.kernel_from(moments)
def _(count: Array, scatter: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        deviation = np.sqrt(scatter[i] / (count[i] * (count[i] - 1)))
        out[i] = deviation if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
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
    def skew(n: pl.Expr, base: pl.Expr, total: pl.Expr, square: pl.Expr, cube: pl.Expr, _fourth: pl.Expr) -> pl.Expr:
        scatter = denoised_scatter_column(n * square - total * total, n * base)
        third = n * (n * cube - 3 * total * square) + 2 * total.pow(3)
        return where_enough((n * (n - 1)).sqrt() / (n - 2) * third / scatter.pow(1.5), n, min_samples)

    return once(skew, *powers_of(x, window))


@ts_skew.kernel_from(shape)
def _(count: Array, base: Array, total: Array, square: Array, cube: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        n, s = count[i], total[i]
        scatter = denoised_scatter(n * square[i] - s * s, n * base[i])
        third = n * (n * cube[i] - 3.0 * s * square[i]) + 2.0 * s * s * s
        skew = np.sqrt(n * (n - 1)) / (n - 2) * third / (scatter * np.sqrt(scatter))
        out[i] = skew if n >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_kurt(
    x: Input,
    window: Annotated[int, Count(4, "the kurtosis of three values is undefined")],
    *,
    min_samples: Annotated[int | None, Samples(4)] = None,
) -> Factor:
    """The adjusted excess kurtosis of the last `window` values, as pandas' `rolling.kurt`: about 0 for a normal sample.

    `(n - 1) / ((n - 2) (n - 3)) * ((n + 1) * m4 / m2 ** 2 - 3 (n - 1))` with the central moments `m2` and `m4` of
    `n` present values. Missing where fewer than `min_samples` are present (default: `window`, at least 4), and for a
    constant window.

    >>> import factorloom as fl
    >>> print(fl.ts_kurt(fl.close, 20))
    ts_kurt(close, 20)
    """


@ts_kurt.meaning
def _(x: Array) -> float:
    d = centred(present(x))
    n = d.size
    kurtosis = (d**4).mean() / (d**2).mean() ** 2
    return float((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * kurtosis - 3 * (n - 1)))


@ts_kurt.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    def kurtosis(n: pl.Expr, base: pl.Expr, total: pl.Expr, square: pl.Expr, cube: pl.Expr, fourth: pl.Expr) -> pl.Expr:
        scatter = denoised_scatter_column(n * square - total * total, n * base)
        central = n * (n * (n * fourth - 4 * total * cube) + 6 * total * total * square) - 3 * total.pow(4)
        value = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * central / (scatter * scatter) - 3 * (n - 1))
        return where_enough(value, n, min_samples)

    return once(kurtosis, *powers_of(x, window))


@ts_kurt.kernel_from(shape)
def _(
    count: Array, base: Array, total: Array, square: Array, cube: Array, fourth: Array, min_samples: int, out: Array
) -> None:
    for i in range(out.size):
        n, s = count[i], total[i]
        scatter = denoised_scatter(n * square[i] - s * s, n * base[i])
        central = n * (n * (n * fourth[i] - 4.0 * s * cube[i]) + 6.0 * s * s * square[i]) - 3.0 * s * s * s * s
        kurtosis = central / (scatter * scatter)
        excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * kurtosis - 3.0 * (n - 1))
        out[i] = excess if n >= min_samples else np.nan
