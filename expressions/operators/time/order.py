"""The place of a value among the last bars of a symbol: its rank, and the share of those before that are below it.

Windows and missing values are as in `moment.py`. Values tie with the current one where they differ from it by less than
2^-40 of its size, as in `tie.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.bound import counts
from factorloom.expressions.operators.loop.noise import NOISE
from factorloom.expressions.operators.loop.window import Array, count_of, present, where_enough, window_bars
from factorloom.expressions.parameter import MinSamples, Window

__all__ = ["ts_rank", "ts_share_below"]


@operator(Axis.TIME, lookback=window_bars, version=3)
def ts_rank(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The percent rank of the current value among the last `window` values, in (0, 1].

    Ties share their mean rank: pandas' `rolling.rank(pct=True)`. Values that agree in their first 12 digits tie.
    Missing where `x` is, and where fewer than `min_samples` are present (default: `window`).

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
    low, high = x[-1] - NOISE * abs(x[-1]), x[-1] + NOISE * abs(x[-1])
    below, same = (x < low).sum(), ((x >= low) & (x <= high)).sum()
    return float((below + (same + 1) / 2) / present(x).size)


@ts_rank.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    low, high = x - NOISE * x.abs(), x + NOISE * x.abs()
    older = [x.shift(k) for k in range(1, window)]
    below = pl.sum_horizontal([pl.lit(0.0), *((bar < low).cast(pl.Float64) for bar in older)])
    same = pl.sum_horizontal([pl.lit(1.0), *(((bar >= low) & (bar <= high)).cast(pl.Float64) for bar in older)])
    count = count_of(x, window)
    return where_enough(pl.when(x.is_not_null()).then((below + (same + 1) / 2) / count), count, min_samples)


@ts_rank.kernel_from(counts)
def _(x: Array, window: int, count: Array, min_samples: int, out: Array) -> None:
    older = min(window, x.size) - 1
    values = np.empty(older + x.size)  # with missing values before the first bar, so that every bar has older ones
    low, high = np.empty(x.size), np.empty(x.size)
    for i in range(older):
        values[i] = np.nan
    for i in range(x.size):
        tie = NOISE * abs(x[i])
        values[np.uint64(older + i)], low[i], high[i] = x[i], x[i] - tie, x[i] + tie
    out[:] = 2.0  # twice the rank: 2 for itself, 2 for every older bar below, 1 for every one that ties
    for k in range(1, older - 2, 4):
        a, b, c, d = values[older - k :], values[older - k - 1 :], values[older - k - 2 :], values[older - k - 3 :]
        for i in range(out.size):
            out[i] += (_twice(a[i], low[i], high[i]) + _twice(b[i], low[i], high[i])) + (
                _twice(c[i], low[i], high[i]) + _twice(d[i], low[i], high[i])
            )
    for k in range(older - older % 4 + 1, older + 1):
        old = values[older - k :]
        for i in range(out.size):
            out[i] += _twice(old[i], low[i], high[i])
    for i in range(out.size):
        out[i] = out[i] / (2.0 * count[i]) if (count[i] >= min_samples) & (x[i] == x[i]) else np.nan


def _twice(old: float, low: float, high: float) -> float:
    return (1.0 if old < low else 0.0) + (1.0 if old <= high else 0.0)


@operator(Axis.TIME, lookback=lambda window, **_: window, version=2)
def ts_share_below(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The share of the `window` values before the current one that are below it, from 0 to 1.

    Unlike in `ts_rank`, the current value is not one of them, and equal values do not count. Missing where `x` is, and
    where fewer than `min_samples` of the values before it are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_share_below(fl.close, 2)))
    date           A    B  C
    2024-01-02     -    -  -
    2024-01-03     -    -  -
    2024-01-04   1.0  1.0  -
    """


@ts_share_below.meaning
def _(x: Array, min_samples: int) -> float:
    before = present(x[:-1])
    return float((before < x[-1]).mean()) if before.size >= min_samples and not np.isnan(x[-1]) else np.nan


@ts_share_below.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    below = pl.sum_horizontal([pl.lit(0.0), *((x.shift(k) < x).cast(pl.Float64) for k in range(1, window + 1))])
    count = count_of(x, window).shift(1)
    return where_enough(pl.when(x.is_not_null()).then(below / count), count, min_samples)


@ts_share_below.kernel_from(counts)
def _(x: Array, window: int, count: Array, min_samples: int, out: Array) -> None:
    for i in range(x.size):
        out[i] = 0.0 if i > 0 else np.nan
    for k in range(1, min(window, x.size - 1) + 1):
        new, below = x[k:], out[k:]
        for i in range(new.size):
            below[i] += x[i] < new[i]
    for i in range(1, x.size):
        out[i] = out[i] / count[i - 1] if (count[i - 1] >= min_samples) & (x[i] == x[i]) else np.nan
