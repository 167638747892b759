"""Where a value stands among the last bars of a symbol: extremes and ranks.

Windows and missing values are as in `moment.py`.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.block import block_max
from factorloom.expressions.operators.window import (
    Array,
    count_of,
    present,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import MinSamples, Window

__all__ = ["ts_max", "ts_min", "ts_rank"]


@operator(Axis.TIME, lookback=window_bars)
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


@operator(Axis.TIME, lookback=window_bars)
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


@operator(Axis.TIME, lookback=window_bars)
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
    count = count_of(x, window)
    return where_enough(pl.when(x.is_not_null()).then((below + (same + 1) / 2) / count), count, min_samples)


@ts_rank.kernel
def _(x: Array, window: int, min_samples: int, out: Array) -> None:
    for i in range(x.size):
        count = below = same = 0
        for j in range(max(0, i - window + 1), i + 1):
            count += x[j] == x[j]
            below += x[j] < x[i]
            same += x[j] == x[i]
        out[i] = (below + (same + 1) / 2) / count if same > 0 and count >= min_samples else np.nan
