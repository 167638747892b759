"""What every statistic of series shares: columns, their present values in order, deviations, long-run covariances.

A series is an array of shape (T,), or (T, K) for K series at once. NaN and infinities are missing. The present values
of each series are taken in their order, as if the missing dates were not there; statistics never depend on the other
series. Whatever is not finite becomes NaN before it leaves.
"""

from __future__ import annotations

import math
import numbers
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.expressions.errors import ArgumentError, ParameterError

__all__ = [
    "FEWEST",
    "Array",
    "Counts",
    "Deviations",
    "as_columns",
    "automatic_lags",
    "check_costs",
    "check_number",
    "check_whole",
    "deviations",
    "finite",
    "long_run",
    "normal_cdf",
    "packed",
    "real",
    "total",
    "whole",
]

Array: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.int64]

MOST_COSTS = 10_000
"""Basis points: all that is traded."""
FEWEST = 3
"""Present values below which a series has no statistic."""
ROUNDING = 16 * np.finfo(np.float64).eps
"""A series whose range is at most this times its largest size is constant: the rest is rounding."""


class Deviations(NamedTuple):
    """The present values of each series in order, less their mean; zeros after the last one."""

    values: Array
    """(T, K)."""
    present: Counts
    """Present values of each series."""
    mean: Array
    """NaN without a present value."""
    varied: npt.NDArray[np.bool_]
    """At least three present values, and not a constant."""


def as_columns(series: npt.ArrayLike) -> Array:
    """The series as (T, K), with NaN where they are missing.

    Raises
    ------
    ArgumentError
        The series have no date axis, or more than two axes, or are not numbers.
    """
    try:
        given = np.asarray(series, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError("a series must be numbers in an array of shape (dates,) or (dates, series)") from None
    if given.ndim not in (1, 2):
        raise ArgumentError(f"a series must have the shape (dates,) or (dates, series), got {given.shape}")
    return finite(given if given.ndim == 2 else given[:, None])


def packed(columns: Array) -> Array:
    """Each column's present values in order, then NaN."""
    missing = np.isnan(columns)
    gaps = np.flatnonzero((missing[:-1] & ~missing[1:]).any(axis=0))
    if not gaps.size:
        return columns
    out = columns.copy()
    out[:, gaps] = np.nan
    for place in gaps.tolist():
        values = columns[~missing[:, place], place]
        out[: values.size, place] = values
    return out


def deviations(columns: Array) -> Deviations:
    """Deviations of each column's present values from their mean, which is corrected once for its rounding."""
    values = packed(columns)
    missing = np.isnan(values)
    count = len(values) - missing.sum(axis=0)
    some = np.maximum(count, 1)
    filled = np.where(missing, 0.0, values)

    def less(mean: Array) -> Array:
        away = filled - mean
        np.putmask(away, missing, 0.0)
        return away

    with np.errstate(all="ignore"):
        mean = filled.sum(axis=0) / some
        mean += less(mean).sum(axis=0) / some
        away = less(mean)
        size = np.maximum(filled.max(axis=0, initial=0), -filled.min(axis=0, initial=0))
        spread = away.max(axis=0, initial=0) - away.min(axis=0, initial=0)
        varied = (count >= FEWEST) & (spread > ROUNDING * size)
    return Deviations(away, count.astype(np.int64), np.where(count > 0, mean, np.nan), varied)


def automatic_lags(count: npt.ArrayLike, horizon: npt.ArrayLike = 1) -> Counts:
    """`max(horizon - 1, floor(4 * (count / 100) ** (2 / 9)))`: the rule of Newey and West (1994), and the overlap.

    Returns `horizon` dates long that start on every date share up to `horizon - 1` dates.

    Examples
    --------
    >>> automatic_lags([100, 1258, 1258], horizon=[1, 1, 21]).tolist()
    [4, 7, 20]
    """
    by_rule = np.floor(4 * (np.asarray(count, dtype=np.float64) / 100) ** (2 / 9)).astype(np.int64)
    return np.maximum(by_rule, whole("horizon", horizon, 1) - 1)


def long_run(first: Array, second: Array, lags: Counts) -> Array:
    """Long-run covariance of deviations, as a sum over dates, by the Bartlett kernel; one number a column.

    `sum_t a[t] b[t] + sum_l (1 - l / (lags + 1)) sum_t (a[t] b[t - l] + b[t] a[t - l])`, for l from 1 to `lags`.
    """
    total: Array = np.empty(first.shape[1])
    of_each = np.broadcast_to(lags, total.shape)
    for most in np.unique(of_each).tolist():
        some = of_each == most
        a = first[:, some]
        total[some] = _long_run(a, a if second is first else second[:, some], most)
    return total


def _long_run(a: Array, b: Array, lags: int) -> Array:
    with np.errstate(all="ignore"):
        total: Array = np.einsum("tk,tk->k", a, b)
        for lag in range(1, min(lags, len(a) - 1) + 1):
            later = np.einsum("tk,tk->k", a[lag:], b[:-lag])
            earlier = later if a is b else np.einsum("tk,tk->k", b[lag:], a[:-lag])
            total += (1 - lag / (lags + 1)) * (later + earlier)
    return total


def normal_cdf(x: npt.ArrayLike) -> Array:
    """The distribution function of the normal distribution."""
    flat = np.asarray(x, dtype=np.float64)
    return np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in flat.ravel().tolist()]).reshape(flat.shape)


def finite(x: Array) -> Array:
    """NaN for whatever is not finite."""
    return np.where(np.isfinite(x), x, np.nan)


def whole(name: str, value: npt.ArrayLike, least: int) -> Counts:
    """Whole numbers of at least `least`, one or one for each series."""
    given = np.asarray(value)
    if not np.issubdtype(given.dtype, np.integer) or given.ndim > 1 or (given < least).any():
        raise ParameterError(f"{name} must be a whole number of at least {least}, or one per series, got {value!r}")
    return given.astype(np.int64)


def check_whole(name: str, value: object, least: int) -> int:
    """One whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def check_number(name: str, value: float, low: float, high: float) -> float:
    """One number strictly between two bounds."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low < value < high:
        raise ParameterError(f"{name} must be a number between {low:g} and {high:g}, got {value!r}")
    return float(value)


def check_costs(value: object) -> float:
    """What a trade costs, in basis points of what is traded."""
    hint = "in hundredths of a percent of what is traded: costs_bps=10 is 0.1 percent"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise ArgumentError(f"costs_bps must be a number, got {value!r}", hint=hint)
    if not 0 <= real(value) <= MOST_COSTS:
        raise ParameterError(f"costs_bps must be a number from 0 to {MOST_COSTS}, got {value}", hint=hint)
    return real(value)


def real(value: numbers.Real) -> float:
    """A number; what is too large for one is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf


def total(values: Array) -> float:
    """The sum of what is not 0: names that are listed later, and so are 0, change no rounding."""
    return float(values[values != 0].sum())
