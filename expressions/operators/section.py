"""What the operators on cross-sections share: how values are spread over members, and centres that keep every digit.

The plain loops at the end are called by kernels and compiled with them.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["around_mean", "centre", "deviation", "like", "mean_in", "middle_and_mad", "quantile", "spread_over"]

Array: TypeAlias = npt.NDArray[np.float64]


def like(x: Array, value: float) -> Array:
    """The same value for every present member."""
    return np.where(np.isnan(x), np.nan, value)


def spread_over(x: pl.Expr, value: pl.Expr) -> pl.Expr:
    return pl.when(x.is_not_null()).then(value)


def around_mean(x: pl.Expr) -> pl.Expr:
    """`x` less its mean, taken around the first present value so that a high level costs no digits."""
    base = x.drop_nulls().first()
    return (x - base) - (x - base).mean()


def mean_in(x: pl.Expr) -> pl.Expr:
    base = x.drop_nulls().first()
    return base + (x - base).mean()


def centre(x: Array) -> tuple[float, float]:
    """The mean of the present values in two parts, a member and the mean distance from it: no digits are lost."""
    base, total, n = np.nan, 0.0, 0
    for i in range(x.size):
        if not np.isnan(x[i]):
            if n == 0:
                base = x[i]
            total += x[i] - base
            n += 1
    return base, total / max(n, 1)


def deviation(x: Array) -> float:
    """The sample standard deviation of the present values; missing for fewer than two."""
    base, shift = centre(x)
    total, n = 0.0, 0
    for i in range(x.size):
        if not np.isnan(x[i]):
            total += ((x[i] - base) - shift) ** 2
            n += 1
    return np.sqrt(total / (n - 1)) if n > 1 else np.nan


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
