"""Statistics of the last `window` bars of a symbol, the current one included.

A window needs `min_samples` present values (by default as many as it has bars) and ignores those that are missing.
The meaning sees one window, oldest bar first, NaN where a value is missing; `present` and `paired` keep what is there.
Kernels stand on the block sums of `block.py`; the Polars forms sum the shifted series around a value of the window
itself, because Polars' own rolling variance and correlation lose digits at high price levels.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.block import block_comoments, block_max, block_moments, block_sums
from factorloom.expressions.parameter import Count, MinSamples, Samples, Window

__all__ = [
    "ts_beta",
    "ts_corr",
    "ts_count",
    "ts_decay_linear",
    "ts_max",
    "ts_mean",
    "ts_min",
    "ts_rank",
    "ts_skew",
    "ts_std",
    "ts_sum",
    "ts_zscore",
]

Array: TypeAlias = npt.NDArray[np.float64]
Pair: TypeAlias = Annotated[int, Count(2, "the spread of one value is undefined")]
PairSamples: TypeAlias = Annotated[int | None, Samples(2)]


def _window(window: int, **_: object) -> int:
    return window - 1


def present(x: Array) -> Array:
    """The values of a window that are there."""
    return x[~np.isnan(x)]


def paired(x: Array, y: Array) -> tuple[Array, Array]:
    """The values of two windows on the bars where both are there."""
    both = ~(np.isnan(x) | np.isnan(y))
    return x[both], y[both]


def centred(values: Array) -> Array:
    """Deviations from the mean, with every digit kept at any price level, and exactly 0 for a constant."""
    shifted = values - values[0]
    return shifted - shifted.mean()


def _count(x: pl.Expr, window: int) -> pl.Expr:
    return x.is_not_null().cast(pl.Float64).rolling_sum(window, min_samples=1)


def _enough(value: pl.Expr, count: pl.Expr, min_samples: int) -> pl.Expr:
    return pl.when(count >= min_samples).then(value)


def _around_member(x: pl.Expr, window: int) -> tuple[pl.Expr, list[pl.Expr]]:
    """A value of the window itself, and every value of the window less that one."""
    base = x.forward_fill(limit=window - 1) if window > 1 else x
    return base, [x.shift(k) - base for k in range(window)]


def _spread(x: pl.Expr, window: int) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """Count, base, sum around the base, and sum of squared deviations of every window."""
    base, deviations = _around_member(x, window)
    count, total = _count(x, window), pl.sum_horizontal(deviations)
    return count, base, total, pl.sum_horizontal([d * d for d in deviations]) - total * total / count


@operator(Axis.TIME, lookback=_window)
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
    return _count(x, window)


@ts_count.kernel
def _(x: Array, window: int, out: Array) -> None:
    block_sums(x, window, out, np.empty(x.size))


@operator(Axis.TIME, lookback=_window)
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


@operator(Axis.TIME, lookback=_window)
def ts_mean(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The mean of the last `window` values: the simple moving average.

    Missing where fewer than `min_samples` are present (default: `window`). The mean of a constant is that constant,
    to the last digit.

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
    values = present(x)
    return float(values[0] + (values - values[0]).mean())


@ts_mean.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    base, deviations = _around_member(x, window)
    count = _count(x, window)
    return _enough(base + pl.sum_horizontal(deviations) / count, count, min_samples)


@ts_mean.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, shift, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, shift, square)
    for i in range(x.size):
        out[i] = base[i] + shift[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=_window)
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
    count, _base, _total, square = _spread(x, window)
    return _enough((square.clip(0) / (count - 1)).sqrt(), count, min_samples)


@ts_std.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, shift, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, shift, square)
    for i in range(x.size):
        out[i] = np.sqrt(square[i] / (count[i] - 1)) if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=_window)
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
    count, base, total, square = _spread(x, window)
    return _enough((x - base - total / count) / (square / (count - 1)).sqrt(), count, min_samples)


@ts_zscore.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, shift, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, shift, square)
    for i in range(x.size):
        if count[i] >= min_samples and square[i] > 0:
            out[i] = ((x[i] - base[i]) - shift[i]) / np.sqrt(square[i] / (count[i] - 1))
        else:
            out[i] = np.nan


@operator(Axis.TIME, lookback=_window)
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
    base, deviations = _around_member(x, window)
    n, mean = _count(x, window), pl.sum_horizontal(deviations) / _count(x, window)
    m2 = pl.sum_horizontal([d * d for d in deviations]) / n
    m3 = pl.sum_horizontal([d * d * d for d in deviations]) / n
    central2, central3 = m2 - mean * mean, m3 - 3 * mean * m2 + 2 * mean * mean * mean
    return _enough((n * (n - 1)).sqrt() / (n - 2) * central3 / central2.pow(1.5), n, min_samples)


@ts_skew.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count, base, shift, square = np.empty(x.size), np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_moments(x, window, count, base, shift, square)
    for i in range(x.size):
        n = count[i]
        if n < min_samples or not square[i] > 0:
            out[i] = np.nan
            continue
        cube = 0.0
        for j in range(max(0, i - window + 1), i + 1):
            if not np.isnan(x[j]):
                deviation = (x[j] - base[i]) - shift[i]
                cube += deviation * deviation * deviation
        out[i] = np.sqrt(n * (n - 1)) / (n - 2) * (cube / n) / (square[i] / n) ** 1.5


@operator(Axis.TIME, lookback=_window)
def ts_min(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The smallest of the last `window` values.

    Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_min(fl.close, 2)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03   10.0  19.0    -
    2024-01-04   11.0  19.0  5.0
    """


@ts_min.meaning
def _(x: Array) -> float:
    return float(present(x).min())


@ts_min.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return x.rolling_min(window, min_samples=min_samples)


@ts_min.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count = np.empty(x.size)
    block_max(x, window, -1.0, count, out)
    for i in range(x.size):
        out[i] = -out[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=_window)
def ts_max(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The largest of the last `window` values.

    Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_max(fl.close, 2)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03   11.0  20.0    -
    2024-01-04   12.0  22.0  7.0
    """


@ts_max.meaning
def _(x: Array) -> float:
    return float(present(x).max())


@ts_max.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    return x.rolling_max(window, min_samples=min_samples)


@ts_max.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    count = np.empty(x.size)
    block_max(x, window, 1.0, count, out)
    for i in range(x.size):
        if count[i] < min_samples:
            out[i] = np.nan


@operator(Axis.TIME, lookback=_window)
def ts_rank(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The percent rank of the current value among the last `window` values, in (0, 1].

    Ties take the mean of their ranks: pandas' `rolling.rank(pct=True)`. Missing where `x` is, and where fewer than
    `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_rank(fl.close, 2)))
    date           A    B    C
    2024-01-02     -    -    -
    2024-01-03   1.0  0.5    -
    2024-01-04   1.0  1.0  1.0
    """


@ts_rank.meaning
def _(x: Array) -> float:
    if np.isnan(x[-1]):
        return np.nan
    below, same = (x < x[-1]).sum(), (x == x[-1]).sum()
    return float((below + (same + 1) / 2) / present(x).size)


@ts_rank.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    older = [x.shift(k) for k in range(1, window)]
    below = pl.sum_horizontal([pl.lit(0.0), *((bar < x).cast(pl.Float64) for bar in older)])
    same = pl.sum_horizontal([pl.lit(1.0), *((bar == x).cast(pl.Float64) for bar in older)])
    count = _count(x, window)
    return _enough(pl.when(x.is_not_null()).then((below + (same + 1) / 2) / count), count, min_samples)


@ts_rank.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    for i in range(x.size):
        count = below = same = 0
        for j in range(max(0, i - window + 1), i + 1):
            count += x[j] == x[j]
            below += x[j] < x[i]
            same += x[j] == x[i]
        out[i] = (below + (same + 1) / 2) / count if same > 0 and count >= min_samples else np.nan


@operator(Axis.TIME, lookback=_window)
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
    return _enough(total / weights, _count(x, window), min_samples)


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


@operator(Axis.TIME, lookback=_window)
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
    count, square_x, square_y, product = _joint(x, y, window)
    return _enough((product / (square_x.sqrt() * square_y.sqrt())).clip(-1, 1), count, min_samples)


@ts_corr.kernel
def _(x: Array, y: Array, window: int, min_samples: int, out: Array) -> None:
    count, square_x, square_y = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_comoments(x, y, window, count, square_x, square_y, out)
    for i in range(x.size):
        scale = np.sqrt(square_x[i]) * np.sqrt(square_y[i])
        out[i] = min(1.0, max(-1.0, out[i] / scale)) if count[i] >= min_samples and scale > 0 else np.nan


@operator(Axis.TIME, lookback=_window)
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
    count, _square_x, square_y, product = _joint(x, y, window)
    return _enough(product / square_y, count, min_samples)


@ts_beta.kernel
def _(x: Array, y: Array, window: int, min_samples: int, out: Array) -> None:
    count, square_x, square_y = np.empty(x.size), np.empty(x.size), np.empty(x.size)
    block_comoments(x, y, window, count, square_x, square_y, out)
    for i in range(x.size):
        out[i] = out[i] / square_y[i] if count[i] >= min_samples and square_y[i] > 0 else np.nan


def _joint(x: pl.Expr, y: pl.Expr, window: int) -> tuple[pl.Expr, pl.Expr, pl.Expr, pl.Expr]:
    """Count, sums of squared deviations, and sum of their products, where both are present."""
    both = x.is_not_null() & y.is_not_null()
    count, base_x, base_y = _count(pl.when(both).then(x), window), [], []
    _, base_x = _around_member(pl.when(both).then(x), window)
    _, base_y = _around_member(pl.when(both).then(y), window)
    total_x, total_y = pl.sum_horizontal(base_x), pl.sum_horizontal(base_y)
    return (
        count,
        pl.sum_horizontal([a * a for a in base_x]) - total_x * total_x / count,
        pl.sum_horizontal([b * b for b in base_y]) - total_y * total_y / count,
        pl.sum_horizontal([a * b for a, b in zip(base_x, base_y, strict=True)]) - total_x * total_y / count,
    )
