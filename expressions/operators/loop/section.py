"""What the operators on cross-sections share: how a value is given to all members, centring that keeps every digit, and
the statistics that their kernels read: sums, moments and order of a section.

The plain loops are called by kernels and compiled with them.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.form import statistic
from factorloom.expressions.operators.loop.noise import denoised_scatter, denoised_scatter_column
from factorloom.expressions.operators.loop.sort import sort_section

__all__ = [
    "around_mean",
    "deviation_in",
    "first_present",
    "like",
    "mean_in",
    "median",
    "median_distance",
    "middle_of",
    "ordered",
    "present_in",
    "quantile",
    "section_deviation",
    "section_mean",
    "section_moments",
    "section_sums",
    "spread_over",
    "total_size",
]

Array: TypeAlias = npt.NDArray[np.float64]


def like(x: Array, value: float) -> Array:
    """The same value for every present member."""
    return np.where(np.isnan(x), np.nan, value)


def spread_over(x: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(x.is_not_null()).then(value)


def around_mean(x: pl.Expr) -> pl.Expr:
    """`x` less its mean, from deviations from the first present value, so that a high level costs no digits."""
    deviation, n = x - x.drop_nulls().first(), x.count()
    return (n * deviation - deviation.sum()) / n


def deviation_in(x: pl.Expr) -> pl.Expr:
    """The sample standard deviation, 0 where it is noise; missing for fewer than two members."""
    n, deviations = x.count(), around_mean(x)
    squares = denoised_scatter_column((deviations * deviations).sum(), n.sqrt() * x.drop_nulls().first())
    return pl.when(n > 1).then((squares / (n - 1)).sqrt())


def mean_in(x: pl.Expr) -> pl.Expr:
    """The mean, exact for a constant and for whole numbers."""
    base, n = x.drop_nulls().first(), x.count()
    total = (x - base).sum()
    return pl.when(total == 0).then(base).otherwise((n * base + total) / n)


# --- moments: four sums side by side, because an addition waits for the result of the one before it ---------------


@statistic("count", "base", "total")
def section_sums(x: Array, count: Array, base: Array, total: Array) -> None:
    """The number of present members, one of them as the base, and the sum of deviations from it: each in the first
    element of its array."""
    base[0] = first_present(x)
    count[0], total[0] = _sums(x, base[0])


@statistic("count", "base", "total", "square")
def section_moments(x: Array, count: Array, base: Array, total: Array, square: Array) -> None:
    """The number of present members, one of them as the base, the sum of deviations from it, and the sum of squared
    deviations from the mean, 0 where it is noise: each in the first element of its array. Exact for whole numbers."""
    first = first_present(x)
    n, deviations = _sums(x, first)
    count[0], base[0], total[0] = n, first, deviations
    square[0] = denoised_scatter(_squares(x, first, deviations, n), np.sqrt(n) * first)


def section_mean(count: Array, base: Array, total: Array) -> float:
    """The mean from the moments of a section, exact for a constant and for whole numbers."""
    value: float = base[0] if total[0] == 0 else (count[0] * base[0] + total[0]) / count[0]
    return value


def section_deviation(count: Array, square: Array) -> float:
    """The sample standard deviation from the moments of a section; NaN for fewer than two members."""
    value: float = np.sqrt(square[0] / (count[0] - 1))
    return value


def first_present(x: Array) -> float:
    for i in range(x.size):
        if not np.isnan(x[i]):
            value: float = x[i]
            return value
    return np.nan


def _sums(x: Array, base: float) -> tuple[int, float]:
    """The number of present members, and the sum of their deviations from `base`."""
    fours = x.size - x.size % 4
    a = b = c = d = 0.0
    n = 0
    for i in range(0, fours, 4):
        a += _or_zero(x[i] - base)
        b += _or_zero(x[i + 1] - base)
        c += _or_zero(x[i + 2] - base)
        d += _or_zero(x[i + 3] - base)
    for i in range(fours, x.size):
        a += _or_zero(x[i] - base)
    for i in range(x.size):
        n += not np.isnan(x[i])
    return n, (a + b) + (c + d)


def _squares(x: Array, base: float, total: float, n: float) -> float:
    """The sum of squared deviations from the mean, from `n` times each deviation, so that whole numbers stay whole."""
    fours = x.size - x.size % 4
    a = b = c = d = 0.0
    for i in range(0, fours, 4):
        a += _square(n * (x[i] - base) - total)
        b += _square(n * (x[i + 1] - base) - total)
        c += _square(n * (x[i + 2] - base) - total)
        d += _square(n * (x[i + 3] - base) - total)
    for i in range(fours, x.size):
        a += _square(n * (x[i] - base) - total)
    return np.float64((a + b) + (c + d)) / n / n  # of no members NaN, in plain Python too


def total_size(x: Array) -> float:
    """The sum of the absolute values of the present members."""
    fours = x.size - x.size % 4
    a = b = c = d = 0.0
    for i in range(0, fours, 4):
        a += _or_zero(np.abs(x[i]))
        b += _or_zero(np.abs(x[i + 1]))
        c += _or_zero(np.abs(x[i + 2]))
        d += _or_zero(np.abs(x[i + 3]))
    for i in range(fours, x.size):
        a += _or_zero(np.abs(x[i]))
    return (a + b) + (c + d)


def _or_zero(value: float) -> float:
    return 0.0 if np.isnan(value) else value


def _square(value: float) -> float:
    return 0.0 if np.isnan(value) else value * value


# --- order ---------------------------------------------------------------------------------------------------------


@statistic("ascending")
def ordered(x: Array, ascending: Array) -> None:
    """The sorted values, missing ones last."""
    sort_section(x, ascending)


def present_in(ascending: Array) -> int:
    """How many members are present: the missing ones come last."""
    n = ascending.size
    while n > 0 and np.isnan(ascending[n - 1]):
        n -= 1
    return n


def median(ascending: Array) -> float:
    """The median of sorted values; NaN for no values."""
    n = ascending.size
    if n == 0:
        return np.nan
    value: float = (ascending[(n - 1) // 2] + ascending[n // 2]) / 2
    return value


def middle_of(ascending: Array) -> tuple[float, float]:
    """The median of sorted values in two parts, the lower of the middle two and half of their gap, so that a deviation
    from it keeps every digit at any level."""
    n = ascending.size
    if n == 0:
        return np.nan, np.nan
    base = ascending[(n - 1) // 2]
    return base, (ascending[n // 2] - base) / 2


def median_distance(ascending: Array, base: float, middle: float) -> float:
    """The median distance of sorted values from `base + middle`, by binary search: most values are never looked at."""
    n = ascending.size
    if n == 0:
        return np.nan
    return (_distance(ascending, base, middle, (n - 1) // 2) + _distance(ascending, base, middle, n // 2)) / 2


def _distance(ascending: Array, base: float, middle: float, rank: int) -> float:
    """The distance from `base + middle` of the value that has `rank` nearer ones.

    The nearest `rank + 1` values are neighbours in sorted order: what is searched is where they begin.
    """
    first, last = 0, ascending.size - 1 - rank
    while first < last:
        half = (first + last) // 2
        if middle - (ascending[half] - base) > (ascending[half + rank + 1] - base) - middle:
            first = half + 1
        else:
            last = half
    distance: float = max(middle - (ascending[first] - base), (ascending[first + rank] - base) - middle)
    return distance


def quantile(ascending: Array, share: float) -> float:
    """The linearly interpolated quantile of sorted values."""
    place = share * (ascending.size - 1)
    below = int(place)
    above = min(below + 1, ascending.size - 1)
    lower: float = ascending[below]
    gap: float = ascending[above] - lower
    return lower + (place - below) * gap
