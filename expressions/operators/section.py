"""What the operators on cross-sections share: how values are spread over members, and centres that keep every digit.

The plain loops at the end are called by kernels and compiled with them.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["around_mean", "centre", "deviation", "like", "mean", "mean_in", "middle_and_mad", "quantile", "spread_over"]

Array: TypeAlias = npt.NDArray[np.float64]


def like(x: Array, value: float) -> Array:
    """The same value for every present member."""
    return np.where(np.isnan(x), np.nan, value)


def spread_over(x: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(x.is_not_null()).then(value)


def around_mean(x: pl.Expr) -> pl.Expr:
    """`x` less its mean, taken around the first present value so that a high level costs no digits."""
    apart, n = x - x.drop_nulls().first(), x.count()
    return (n * apart - apart.sum()) / n


def mean_in(x: pl.Expr) -> pl.Expr:
    """The mean, exact for a constant and for whole numbers."""
    base, n = x.drop_nulls().first(), x.count()
    total = (x - base).sum()
    return pl.when(total == 0).then(base).otherwise((n * base + total) / n)


def centre(x: Array) -> tuple[float, float, int]:
    """A member, the sum of present values around it, and their number: from these, sums and deviations keep all
    digits."""
    base, total, n = np.nan, 0.0, 0
    for i in range(x.size):
        if not np.isnan(x[i]):
            if n == 0:
                base = x[i]
            total += x[i] - base
            n += 1
    return base, total, n


def mean(x: Array) -> float:
    """The mean of the present values, exact for a constant and for whole numbers."""
    base, total, n = centre(x)
    return base if total == 0 else (n * base + total) / n


def deviation(x: Array) -> float:
    """The sample standard deviation of the present values; missing for fewer than two."""
    base, total, n = centre(x)
    square = 0.0
    for i in range(x.size):
        if not np.isnan(x[i]):
            square += ((n * (x[i] - base) - total) / n) ** 2
    return np.sqrt(square / (n - 1)) if n > 1 else np.nan


def middle_and_mad(x: Array) -> tuple[float, float]:
    """The median of the present values, and the median of their distances from it."""
    values = x[~np.isnan(x)]
    if values.size == 0:
        return np.nan, np.nan
    middle = np.median(values)
    return middle, np.median(np.abs(values - middle))


def quantile(ordered: Array, share: float) -> float:
    """The linearly interpolated quantile of sorted values."""
    place = share * (ordered.size - 1)
    below = int(place)
    above = min(below + 1, ordered.size - 1)
    lower: float = ordered[below]
    gap: float = ordered[above] - lower
    return lower + (place - below) * gap
