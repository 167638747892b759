"""Quantiles of the last bars of a symbol, and how far its values are apart from the middle.

Windows and missing values are as in `moment.py`. The kernel keeps the values of the window in order, and lets a bar
in and another out with one pass over all places: `max(left, min(come, here))` is what stands at a place after `come`
went in, wherever that was. Without a search and without a branch, this is faster than either for any usual window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.form import statistic
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.bound import counts
from factorloom.expressions.operators.loop.window import (
    Array,
    around_median,
    around_member,
    centred,
    count_of,
    present,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import Choice, MinSamples, Real, Value, Window

__all__ = ["ts_mad", "ts_median", "ts_quantile"]

LANES = 8
"""The values in order are padded to a multiple of this, so that no place is left over when they are moved."""


AROUND = ("median", "mean")
MEDIAN = AROUND.index("median")


class _Probability(Real):
    """A number from 0 to 1."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        number = super().check(name, value, others)
        assert isinstance(number, float)
        if not 0 <= number <= 1:
            raise ParameterError(f"{name} must be between 0 and 1, got {value!r}")
        return number


@statistic("quantile", every="q")
def quantiles(x: Array, window: int, q: tuple[float, ...], quantile: tuple[Array, ...]) -> None:
    """Quantiles of every window, missing where it is empty."""
    order, moved = empty_order(window, x.size), empty_order(window, x.size)
    n = 0
    for i in range(x.size):
        come, gone = x[i], x[i - window] if i >= window else np.nan
        n += int(come == come) - int(gone == gone)
        put(order, come, gone, moved)
        order, moved = moved, order
        for place in range(len(q)):
            quantile[place][i] = quantile_of(order, n, q[place]) if n > 0 else np.nan


def median_distances(x: Array, window: int, distance: Array) -> None:
    """The median distance of the values of every window from their median, missing where it is empty."""
    order, moved = empty_order(window, x.size), empty_order(window, x.size)
    n = 0
    for i in range(x.size):
        come, gone = x[i], x[i - window] if i >= window else np.nan
        n += int(come == come) - int(gone == gone)
        put(order, come, gone, moved)
        order, moved = moved, order
        distance[i] = median_distance(order, n) if n > 0 else np.nan


def empty_order(window: int, bars: int) -> Array:
    """Room for the values of a window in order: they start at place 1, and what is missing is infinite behind them."""
    order = np.full(-(-min(window, bars) // LANES) * LANES + 2, np.inf)
    order[0] = -np.inf
    return order


def put(order: Array, come: float, gone: float, moved: Array) -> None:
    """The values in order after one came and another went."""
    size = order.size - 2
    come, gone = come if come == come else np.inf, gone if gone == gone else np.inf
    before, here, after, out = order[:size], order[1 : size + 1], order[2:], moved[1 : size + 1]
    for k in range(size):
        a, b, c = before[k], here[k], after[k]
        left = a if a < gone else b
        right = b if b < gone else c
        right = come if come < right else right
        out[k] = left if left > right else right


def quantile_of(order: Array, n: int, q: float) -> float:
    """The quantile of `n` values in order, which start at place 1."""
    place = q * (n - 1)
    k = int(place)
    low, high = order[k + 1], order[min(k + 2, n)]
    return float(low + (high - low) * (place - k))


def median_distance(order: Array, n: int) -> float:
    """The median of the distances of `n` values in order from their median, which is kept in two parts: the lower one
    of the middle two and half of their gap, so that a high level costs no digits.

    The nearest `half` of them stand side by side: they start where the far end first is farther than the near one.
    """
    half = (n + 1) // 2
    base = order[half]
    middle = (order[n // 2 + 1] - base) / 2
    start, stop = 0, n - half + 1
    while start < stop:
        k = (start + stop) // 2
        if (order[k + half] - base) - middle < middle - (order[k + 1] - base):
            start = k + 1
        else:
            stop = k
    left, right = middle - (order[start] - base), (order[start + half] - base) - middle
    if left < right:
        near, next_ = left, min(middle - (order[start - 1] - base), right)
    else:
        near, next_ = right, min(left, (order[start + half + 1] - base) - middle)
    return float(near if n % 2 else (near + next_) / 2)


@operator(Axis.TIME, lookback=window_bars)
def ts_quantile(
    x: Input, window: Window, *, q: Annotated[float, _Probability()] = 0.5, min_samples: MinSamples = None
) -> Factor:
    """The quantile `q` of the last `window` values; between two values it is interpolated linearly.

    As NumPy's `quantile`: it stands at place `q * (n - 1)` of the `n` present values in order, the smallest at 0.
    Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_quantile(fl.close, 2, q=0.25)))
    date             A      B    C
    2024-01-02       -      -    -
    2024-01-03   10.25  19.25    -
    2024-01-04   11.25  19.75  5.5
    """


@ts_quantile.meaning
def _(x: Array, q: float) -> float:
    return float(np.quantile(present(x), q))


@ts_quantile.polars
def _(x: pl.Expr, window: int, q: float, min_samples: int) -> pl.Expr:
    return x.rolling_quantile(q, interpolation="linear", window_size=window, min_samples=min_samples)


@ts_quantile.kernel_from(counts, quantiles)
def _(count: Array, quantile: Array, min_samples: int, out: Array) -> None:
    for i in range(out.size):
        out[i] = quantile[i] if count[i] >= min_samples else np.nan


@operator(Axis.TIME, lookback=window_bars)
def ts_median(x: Input, window: Window, *, min_samples: MinSamples = None) -> Factor:
    """The median of the last `window` values: `ts_quantile(x, window, q=0.5)`.

    Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_median(fl.close, 3, min_samples=2)))
    date            A     B    C
    2024-01-02      -     -    -
    2024-01-03   10.5  19.5    -
    2024-01-04   11.0  20.0  6.0
    """
    return ts_quantile(x, window, min_samples=min_samples)


@operator(Axis.TIME, lookback=window_bars)
def ts_mad(
    x: Input,
    window: Window,
    *,
    around: Annotated[str, Choice(AROUND)] = "median",
    min_samples: MinSamples = None,
) -> Factor:
    """The median absolute deviation of the last `window` values from their median.

    With `around="mean"` the mean absolute deviation from the mean instead. Neither is scaled to a standard deviation.
    Missing where fewer than `min_samples` are present (default: `window`).

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_mad(fl.close, 3)))
    date           A    B  C
    2024-01-02     -    -  -
    2024-01-03     -    -  -
    2024-01-04   1.0  1.0  -
    """


@ts_mad.meaning
def _(x: Array, around: str) -> float:
    values = present(x)
    if around == "mean":
        return float(np.abs(centred(values)).mean())
    return float(np.median(np.abs(around_median(values))))


@ts_mad.polars
def _(x: pl.Expr, window: int, around: str, min_samples: int) -> pl.Expr:
    count = count_of(x, window)
    if around == "mean":
        _base, deviations = around_member(x, window)
        mean = pl.sum_horizontal(deviations) / count
        return where_enough(pl.sum_horizontal([(d - mean).abs() for d in deviations]) / count, count, min_samples)
    low, high = (
        x.rolling_quantile(0.5, interpolation=side, window_size=window, min_samples=min_samples)
        for side in ("lower", "higher")
    )
    half = (high - low) / 2
    return pl.concat_list([((x.shift(k) - low) - half).abs() for k in range(window)]).list.median()


@ts_mad.kernel_from(counts)
def _(x: Array, window: int, count: Array, around: int, min_samples: int, out: Array) -> None:
    if around == MEDIAN:
        median_distances(x, window, out)
    else:
        mean_distances(x, window, count, out)
    for i in range(out.size):
        out[i] = out[i] if count[i] >= min_samples else np.nan


def mean_distances(x: Array, window: int, count: Array, out: Array) -> None:
    """The mean distance from the mean: one pass for every bar of the window."""
    base, mean = np.empty(x.size), np.zeros(x.size)
    last = np.nan
    for i in range(x.size):
        last = x[i] if x[i] == x[i] else last
        base[i] = last
    bars = min(window, x.size)
    for k in range(bars):
        old, centre, total = x[: x.size - k], base[k:], mean[k:]
        for i in range(old.size):
            total[i] += old[i] - centre[i] if old[i] == old[i] else 0.0
    for i in range(x.size):
        mean[i] = mean[i] / count[i]
    out[:] = 0.0
    for k in range(bars):
        old, centre, shift, apart = x[: x.size - k], base[k:], mean[k:], out[k:]
        for i in range(old.size):
            apart[i] += abs((old[i] - centre[i]) - shift[i]) if old[i] == old[i] else 0.0
    for i in range(x.size):
        out[i] = out[i] / count[i]
