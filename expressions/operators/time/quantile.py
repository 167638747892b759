"""Quantiles of the last bars of a symbol, and deviations from their median or mean.

Windows and missing values are as in `moment.py`. The kernel keeps the values of the window sorted, and replaces the one
that leaves by the one that enters in a single pass over all of them: the value at each index of the new order is the
median of the entering value and its two neighbours of the old order without the leaving one. Without a search and
without a branch, this is faster than either for any usual window.
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
from factorloom.expressions.operators.loop.noise import denoised_spread, denoised_spread_column
from factorloom.expressions.operators.loop.window import (
    Array,
    added,
    around_base,
    around_median,
    centred,
    count_of,
    once,
    present,
    where_enough,
    window_bars,
)
from factorloom.expressions.parameter import Choice, MinSamples, Real, Value, Window

__all__ = ["ts_mad", "ts_median", "ts_quantile"]

LANES = 8
"""Sorted values are padded to a multiple of this, so that vector instructions leave no remainder."""

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
    """Quantiles of every window, NaN for a window without values."""
    ordered, spare = empty_window(window, x.size), empty_window(window, x.size)
    n = 0
    for i in range(x.size):
        new, old = x[i], x[i - window] if i >= window else np.nan
        n += int(new == new) - int(old == old)
        replace_value(ordered, new, old, spare)
        ordered, spare = spare, ordered
        for j in range(len(q)):
            quantile[j][i] = quantile_of(ordered, n, q[j]) if n > 0 else np.nan


def median_distances(x: Array, window: int, distance: Array) -> None:
    """The median distance of the values of every window from their median, NaN for a window without values."""
    ordered, spare = empty_window(window, x.size), empty_window(window, x.size)
    n = 0
    for i in range(x.size):
        new, old = x[i], x[i - window] if i >= window else np.nan
        n += int(new == new) - int(old == old)
        replace_value(ordered, new, old, spare)
        ordered, spare = spare, ordered
        distance[i] = denoised_spread(median_distance(ordered, n), ordered[(n + 1) // 2]) if n > 0 else np.nan


def empty_window(window: int, bars: int) -> Array:
    """Room for the sorted values of a window: they start at index 1 and are followed by infinities."""
    ordered = np.full(-(-min(window, bars) // LANES) * LANES + 2, np.inf)
    ordered[0] = -np.inf
    return ordered


def replace_value(ordered: Array, new: float, old: float, spare: Array) -> None:
    """Fill `spare` with the sorted values after `new` has entered and `old` has left; NaN stands for none."""
    size = ordered.size - 2
    new, old = new if new == new else np.inf, old if old == old else np.inf
    before, current, after, out = ordered[:size], ordered[1 : size + 1], ordered[2:], spare[1 : size + 1]
    for k in range(size):
        a, b, c = before[k], current[k], after[k]
        left = a if a < old else b
        right = b if b < old else c
        right = new if new < right else right
        out[k] = left if left > right else right


def quantile_of(ordered: Array, n: int, q: float) -> float:
    """The quantile of `n` sorted values, which start at index 1."""
    position = q * (n - 1)
    k = int(position)
    low, high = ordered[k + 1], ordered[min(k + 2, n)]
    return float(low + (high - low) * (position - k))


def median_distance(ordered: Array, n: int) -> float:
    """The median distance of `n` sorted values from their median, which is kept in two parts, the lower of the middle
    two and half of their gap, so that a high level costs no digits.

    A binary search finds the first run of `half` neighbours in sorted order whose upper end is no nearer than its lower
    one. But for that upper end they are the nearest values; the next nearest is the upper end, or the one before the
    run.
    """
    half = (n + 1) // 2
    base = ordered[half]
    middle = (ordered[n // 2 + 1] - base) / 2
    start, stop = 0, n - half + 1
    while start < stop:
        k = (start + stop) // 2
        if (ordered[k + half] - base) - middle < middle - (ordered[k + 1] - base):
            start = k + 1
        else:
            stop = k
    left, right = middle - (ordered[start] - base), (ordered[start + half] - base) - middle
    if left < right:
        near, next_ = left, min(middle - (ordered[start - 1] - base), right)
    else:
        near, next_ = right, min(left, (ordered[start + half + 1] - base) - middle)
    return float(near if n % 2 else (near + next_) / 2)


@operator(Axis.TIME, lookback=window_bars)
def ts_quantile(
    x: Input, window: Window, *, q: Annotated[float, _Probability()] = 0.5, min_samples: MinSamples = None
) -> Factor:
    """The quantile `q` of the last `window` values, with linear interpolation.

    As NumPy's `quantile`: the value at position `q * (n - 1)` of the `n` present values in order, the smallest at 0.
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


@operator(Axis.TIME, lookback=window_bars, version=2)
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
        distance, level = np.abs(centred(values)).mean(), float(values[-1])
    else:
        distance, level = np.median(np.abs(around_median(values))), float(np.median(values))
    return denoised_spread(float(distance), level)


@ts_mad.polars
def _(x: pl.Expr, window: int, around: str, min_samples: int) -> pl.Expr:
    count = count_of(x, window)
    base, deviations = around_base(x, window)
    if around == "mean":
        mean = added(deviations) / count
        distance = added([(d - mean).abs() for d in deviations]) / count
        return where_enough(once(denoised_spread_column, distance, base), count, min_samples)
    low, high = (
        x.rolling_quantile(0.5, interpolation=side, window_size=window, min_samples=min_samples)
        for side in ("lower", "higher")
    )
    half = (high - low) / 2
    distance = pl.concat_list([((x.shift(k) - low) - half).abs() for k in range(window)]).list.median()
    return once(denoised_spread_column, distance, low)


@ts_mad.kernel_from(counts)
def _(x: Array, window: int, count: Array, around: int, min_samples: int, out: Array) -> None:
    if around == MEDIAN:
        median_distances(x, window, out)
    else:
        mean_distances(x, window, count, out)
    for i in range(out.size):
        out[i] = out[i] if count[i] >= min_samples else np.nan


def mean_distances(x: Array, window: int, count: Array, out: Array) -> None:
    """The mean distance from the mean: one pass over the series for every bar of the window."""
    base, mean = np.empty(x.size), np.zeros(x.size)
    last = np.nan
    for i in range(x.size):
        last = x[i] if x[i] == x[i] else last
        base[i] = last
    bars = min(window, x.size)
    for k in range(bars):
        values, centre, total = x[: x.size - k], base[k:], mean[k:]
        for i in range(values.size):
            total[i] += values[i] - centre[i] if values[i] == values[i] else 0.0
    for i in range(x.size):
        mean[i] = mean[i] / count[i]
    out[:] = 0.0
    for k in range(bars):
        values, centre, shift, total = x[: x.size - k], base[k:], mean[k:], out[k:]
        for i in range(values.size):
            total[i] += abs((values[i] - centre[i]) - shift[i]) if values[i] == values[i] else 0.0
    for i in range(x.size):
        out[i] = denoised_spread(out[i] / count[i], base[i])
