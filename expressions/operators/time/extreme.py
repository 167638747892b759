"""The largest and the smallest value of the last bars of a symbol, and how many bars ago they were.

Windows and missing values are as in `moment.py`.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.bound import TIES, counts, highs, lows, widen_ago
from factorloom.expressions.operators.loop.noise import NOISE
from factorloom.expressions.operators.loop.window import Array, present, window_bars
from factorloom.expressions.operators.time.moment import ts_count
from factorloom.expressions.parameter import Choice, MinSamples, Window

__all__ = ["ts_argmax", "ts_argmin", "ts_max", "ts_min"]

Origin: TypeAlias = Annotated[str, Choice(("now", "start"))]
Ties: TypeAlias = Annotated[str, Choice(TIES)]


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


@ts_min.kernel_from(counts, lows)
def _(count: Array, bottom: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        out[i] = bottom[i] if count[i] >= min_samples else np.nan


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


@ts_max.kernel_from(counts, highs)
def _(count: Array, top: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        out[i] = top[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_argmin(
    x: Input, window: Window, *, origin: Origin = "now", ties: Ties = "oldest", min_samples: MinSamples = None
) -> Factor:
    """How many bars ago the smallest of the last `window` values was; 0 is the current bar.

    With `origin="start"` its index in the window instead: 0 is the oldest bar of the window, or the first bar of the
    symbol where the window starts before it. Of values that agree in 12 digits the oldest is taken, with
    `ties="newest"` the newest. Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_argmin(fl.close, 2)))
    date           A    B    C
    2024-01-02     -    -    -
    2024-01-03   1.0  0.0    -
    2024-01-04   1.0  1.0  1.0
    """
    if origin == "start":
        return _index(ts_argmin(x, window, ties=ties, min_samples=min_samples), window)
    return None  # type: ignore[return-value]


@ts_argmin.meaning
def _(x: Array, ties: str) -> float:
    return _bars_ago(x <= present(x).min() + NOISE * abs(present(x).min()), ties)


@ts_argmin.polars
def _(x: pl.Expr, window: int, ties: str, min_samples: int) -> pl.Expr:
    return _last_equal(x, x.rolling_min(window, min_samples=min_samples), window, ties)


@ts_argmin.kernel_from(counts)
def _(x: Array, window: int, count: Array, ties: int, min_samples: int, out: Array) -> None:
    widen_ago(x, window, -1.0, ties, out)
    for i in range(out.size):
        out[i] = out[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars, version=2)
def ts_argmax(
    x: Input, window: Window, *, origin: Origin = "now", ties: Ties = "oldest", min_samples: MinSamples = None
) -> Factor:
    """How many bars ago the largest of the last `window` values was; 0 is the current bar.

    With `origin="start"` its index in the window instead, as NumPy's `argmax`: 0 is the oldest bar of the window, or
    the first bar of the symbol where the window starts before it. Of values that agree in 12 digits the oldest is
    taken, with `ties="newest"` the newest. Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_argmax(fl.close, 2)))
    date           A    B    C
    2024-01-02     -    -    -
    2024-01-03   0.0  1.0    -
    2024-01-04   0.0  0.0  0.0
    >>> print(fl.example().show(fl.ts_argmax(fl.close, 2, origin="start", min_samples=1)))
    date           A    B    C
    2024-01-02   0.0  0.0    -
    2024-01-03   1.0  0.0  0.0
    2024-01-04   1.0  1.0  1.0
    """
    if origin == "start":
        return _index(ts_argmax(x, window, ties=ties, min_samples=min_samples), window)
    return None  # type: ignore[return-value]


@ts_argmax.meaning
def _(x: Array, ties: str) -> float:
    return _bars_ago(x >= present(x).max() - NOISE * abs(present(x).max()), ties)


@ts_argmax.polars
def _(x: pl.Expr, window: int, ties: str, min_samples: int) -> pl.Expr:
    return _last_equal(x, x.rolling_max(window, min_samples=min_samples), window, ties)


@ts_argmax.kernel_from(counts)
def _(x: Array, window: int, count: Array, ties: int, min_samples: int, out: Array) -> None:
    widen_ago(x, window, 1.0, ties, out)
    for i in range(out.size):
        out[i] = out[i] if count[i] >= min_samples else np.nan


def _index(ago: Factor, window: int) -> Factor:
    """The index in the window of a value some bars ago; the count of a constant is the length of the window so far."""
    return ts_count(1, window) - 1 - ago


def _bars_ago(extreme: Array, ties: str) -> float:
    bars = np.flatnonzero(extreme)
    return float(extreme.size - 1 - (bars[0] if ties == "oldest" else bars[-1]))


def _last_equal(x: pl.Expr, extreme: pl.Expr, window: int, ties: str) -> pl.Expr:
    ago = range(window) if ties == "newest" else reversed(range(window))
    tie = NOISE * extreme.abs()
    return pl.coalesce([pl.when((x.shift(k) - extreme).abs() <= tie).then(float(k)) for k in ago])
