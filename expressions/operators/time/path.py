"""The path of the last bars of a symbol: drawdown, entropy, and the range of running sums.

Windows and missing values are as in `moment.py`.
"""

from __future__ import annotations

import itertools
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.block import moments
from factorloom.expressions.operators.loop.bound import counts, highs, lows
from factorloom.expressions.operators.loop.noise import denoised_spread, denoised_spread_column
from factorloom.expressions.operators.loop.window import (
    Array,
    added,
    centred,
    count_of,
    once,
    present,
    spread_of,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import MinSamples, Whole, Window

__all__ = ["ts_drawdown", "ts_entropy", "ts_range_of_sums"]

Members: TypeAlias = npt.NDArray[np.int64]


@operator(Axis.TIME, lookback=window_bars)
def ts_drawdown(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The largest drawdown within the last `window` values: the largest fall from a peak to a later value, as a ratio.

    `min(x[j] / x[i] - 1)` over `i <= j`: 0 for a window that never falls, -0.1 for a loss of 10 percent. Missing
    where fewer than `min_samples` are present (default: `window`), and where one of them is not positive.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_drawdown(fl.close, 2)))
    date           A      B    C
    2024-01-02     -      -    -
    2024-01-03   0.0  -0.05    -
    2024-01-04   0.0    0.0  0.0
    """


@ts_drawdown.meaning
def _(x: Array) -> float:
    values = present(x)
    return float((values / np.maximum.accumulate(values)).min() - 1) if (values > 0).all() else np.nan


@ts_drawdown.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    falls = [x.shift(k) / x.rolling_max(window - k, min_samples=1).shift(k) for k in range(window)]
    positive = x.rolling_min(window, min_samples=1) > 0
    return where_enough(pl.when(positive).then(pl.min_horizontal(falls) - 1), count_of(x, window), min_samples)


@ts_drawdown.kernel_from(counts)
def _(x: Array, window: int, count: Array, min_samples: int, out: Array) -> None:
    drawdowns(x, window, out)
    for i in range(out.size):
        out[i] = out[i] if count[i] >= min_samples else np.nan


def drawdowns(x: Array, window: int, fall: Array) -> None:
    """The largest drawdown of every window: within the tail of a block, within the head of the next, or across both."""
    bars = min(window, x.size)
    tail_top, tail_bottom, tail_ratio = np.zeros(bars + 1), np.full(bars + 1, np.inf), np.ones(bars + 1)
    for start in range(0, x.size, bars):
        stop = min(start + bars, x.size)
        top, bottom, worst = 0.0, np.inf, 1.0
        for i in range(start, stop):
            value, k = x[i], i - start + 1
            top = value if value > top else top
            bottom = value if value < bottom else bottom
            ratio = value / top
            worst = ratio if ratio < worst else worst
            across = bottom / tail_top[k]
            overall = worst if worst < tail_ratio[k] else tail_ratio[k]
            overall = across if across < overall else overall
            lowest = bottom if bottom < tail_bottom[k] else tail_bottom[k]
            fall[i] = overall - 1 if lowest > 0 else np.nan
        top, bottom, worst = 0.0, np.inf, 1.0
        for i in range(stop - 1, start - 1, -1):
            value, k = x[i], i - start
            top = value if value > top else top
            bottom = value if value < bottom else bottom
            ratio = bottom / value
            worst = ratio if ratio < worst else worst
            tail_top[k] = top
            tail_bottom[k] = bottom
            tail_ratio[k] = worst


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_entropy(
    x: Input, window: Window, *, bins: Annotated[int, Whole(2, 1000)] = 10, min_samples: MinSamples = None
) -> Factor:
    """Shannon's entropy, in nats, of the histogram of the last `window` values.

    `-sum(p * log(p))` over the shares `p` of `bins` bins of equal width between the smallest and the largest value,
    each with its lower edge and the last with both. From 0, for a constant window, to `log(bins)`. Missing where fewer
    than `min_samples` are present (default: `window`).

    Source: C. E. Shannon, A mathematical theory of communication, Bell System Technical Journal 27, 1948.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_entropy(fl.close, 3)))
    date             A      B  C
    2024-01-02       -      -  -
    2024-01-03       -      -  -
    2024-01-04   1.099  1.099  -
    """


@ts_entropy.meaning
def _(x: Array, bins: int) -> float:
    values = present(x)
    width = denoised_spread(values.max() - values.min(), values.min())
    if width == 0:
        return 0.0
    scale = bins / width
    if not 0 < scale < np.inf:
        return np.nan
    indices = ((values - values.min()) * scale).clip(0, bins - 1).astype(int)
    shares = np.bincount(indices) / values.size
    return float(-(shares * np.log(shares, where=shares > 0, out=np.zeros(shares.size))).sum())


@ts_entropy.polars
def _(x: pl.Expr, window: int, bins: int, min_samples: int) -> pl.Expr:
    bottom, top = x.rolling_min(window, min_samples=1), x.rolling_max(window, min_samples=1)
    count, width = count_of(x, window), denoised_spread_column(top - bottom, bottom)
    scale = bins / width
    indices = [((x.shift(k) - bottom) * scale).floor().clip(0, bins - 1) for k in range(window)]
    shares = [pl.sum_horizontal([(index == b).cast(pl.Float64) for index in indices]) / count for b in range(bins)]
    entropy = -added([pl.when(share > 0).then(share * share.log()) for share in shares])
    value = pl.when(width == 0).then(0.0).when((scale > 0) & scale.is_finite()).then(entropy)
    return where_enough(value, count, min_samples)


@ts_entropy.kernel_from(counts, highs, lows)
def _(x: Array, window: int, count: Array, top: Array, bottom: Array, bins: int, min_samples: int, out: Array) -> None:
    weight = np.zeros(min(window, x.size) + 1)
    for n in range(2, weight.size):
        weight[n] = n * np.log(n)
    members = np.zeros(bins, np.int64)
    low = high = np.nan
    for i in range(x.size):
        width = denoised_spread(top[i] - bottom[i], bottom[i])
        scale = bins / width
        if count[i] < min_samples or not 0 < scale < np.inf:
            out[i] = 0.0 if count[i] >= min_samples and width == 0 else np.nan
            low = high = np.nan
            continue
        if low == bottom[i] and high == top[i]:
            if i >= window:
                tally(x[i - window : i - window + 1], low, scale, -1, members)
            tally(x[i : i + 1], low, scale, 1, members)
        else:
            low, high = bottom[i], top[i]
            members[:] = 0
            tally(x[max(0, i - window + 1) : i + 1], low, scale, 1, members)
        total = 0.0
        for b in range(bins):
            total += weight[members[b]]
        n = int(count[i])
        out[i] = (weight[n] - total) / n


def tally(x: Array, low: float, scale: float, change: int, members: Members) -> None:
    """Add values to their bins, or take them out."""
    last = members.size - 1
    for i in range(x.size):
        if x[i] == x[i]:
            members[min(int((x[i] - low) * scale), last)] += change


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_range_of_sums(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """Hurst's adjusted range of the last `window` values: the range of the running sums of their deviations.

    `max(s) - min(s)`, where `s[j]` is the sum of deviations from the mean of the window up to its value `j`; divided by
    the standard deviation it is the rescaled range. 0 for a constant window. Missing where fewer than `min_samples` are
    present (default: `window`).

    Source: H. E. Hurst, Long-term storage capacity of reservoirs, Trans. ASCE 116, 1951.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_range_of_sums(fl.close, 3)))
    date           A      B  C
    2024-01-02     -      -  -
    2024-01-03     -      -  -
    2024-01-04   1.0  1.667  -
    """


@ts_range_of_sums.meaning
def _(x: Array) -> float:
    return float(np.ptp(centred(present(x)).cumsum()))


@ts_range_of_sums.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    def compute(count: pl.Expr, base: pl.Expr, total: pl.Expr, scatter: pl.Expr, *bars: pl.Expr) -> pl.Expr:
        deviations = [(bar - base - total / count).fill_null(0.0) for bar in reversed(bars)]
        sums = list(itertools.accumulate(deviations, lambda before, one: before + one))
        value = pl.max_horizontal(sums) - pl.min_horizontal(sums)
        return where_enough(pl.when(scatter > 0).then(value).otherwise(0.0), count, min_samples)

    return once(compute, *spread_of(x, window), *(x.shift(k) for k in range(window)))


@ts_range_of_sums.kernel_from(moments)
def _(
    x: Array, window: int, count: Array, base: Array, total: Array, scatter: Array, min_samples: int, out: Array
) -> None:
    for i in range(x.size):
        out[i] = 0.0 if count[i] >= min_samples else np.nan
        if count[i] < min_samples or scatter[i] == 0:
            continue
        n, s, least, most = count[i], 0.0, np.inf, -np.inf
        for k in range(max(0, i - window + 1), i + 1):
            if x[k] == x[k]:
                s += n * (x[k] - base[i]) - total[i]
                least, most = min(least, s), max(most, s)
        out[i] = (most - least) / n
