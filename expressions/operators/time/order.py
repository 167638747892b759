"""The place of a value among the last bars of a symbol: its rank, and the share of those before that are below it.

Windows and missing values are as in `moment.py`; values tie as in `tie.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.bound import counts
from factorloom.expressions.operators.loop.tie import rounded, rounded_column, rounded_values
from factorloom.expressions.operators.loop.window import Array, count_of, present, where_enough, window_bars
from factorloom.expressions.parameter import MinSamples, Window

__all__ = ["ts_rank", "ts_share_below"]


@operator(Axis.TIME, lookback=window_bars, version=2)
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
    keys = rounded_values(x)
    below, same = (keys < keys[-1]).sum(), (keys == keys[-1]).sum()
    return float((below + (same + 1) / 2) / present(x).size)


@ts_rank.polars
def _(x: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    key = rounded_column(x)
    older = [key.shift(k) for k in range(1, window)]
    below = pl.sum_horizontal([pl.lit(0.0), *((bar < key).cast(pl.Float64) for bar in older)])
    same = pl.sum_horizontal([pl.lit(1.0), *((bar == key).cast(pl.Float64) for bar in older)])
    count = count_of(x, window)
    return where_enough(pl.when(x.is_not_null()).then((below + (same + 1) / 2) / count), count, min_samples)


@ts_rank.kernel_from(counts)
def _(x: Array, window: int, count: Array, min_samples: int, out: Array) -> None:
    older = min(window, x.size) - 1
    keys = np.empty(older + x.size)  # with missing values before the first bar, so that every bar has older ones
    new = keys[older:]
    for i in range(older):
        keys[i] = np.nan
    for i in range(x.size):
        new[i] = rounded(x[i])
    out[:] = 2.0  # twice the rank: 2 for itself, 2 for every older bar below, 1 for every one that ties
    for k in range(1, older - 2, 4):
        a, b, c, d = keys[older - k :], keys[older - k - 1 :], keys[older - k - 2 :], keys[older - k - 3 :]
        for i in range(out.size):
            out[i] += (_twice(a[i], new[i]) + _twice(b[i], new[i])) + (_twice(c[i], new[i]) + _twice(d[i], new[i]))
    for k in range(older - older % 4 + 1, older + 1):
        old = keys[older - k :]
        for i in range(out.size):
            out[i] += _twice(old[i], new[i])
    for i in range(out.size):
        out[i] = out[i] / (2.0 * count[i]) if (count[i] >= min_samples) & (x[i] == x[i]) else np.nan


def _twice(old: float, new: float) -> float:
    return (1.0 if old < new else 0.0) + (1.0 if old <= new else 0.0)


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
