"""How far a mean or a line through dates can be trusted: tests, intervals, many hypotheses; all columns at once.

A series has the shape (T,), or (T, K) for K series at once; results then have the shape () or (K,). NaN is missing: the
present values are taken in order. Fewer than three present values, a constant, or as many lags as values give missing
(NaN), never an infinity. `docs/inference.md` has every formula and source.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from factorloom.engine.research.series import (
    Array,
    Counts,
    Deviations,
    as_columns,
    automatic_lags,
    check_number,
    check_whole,
    deviations,
    finite,
    long_run,
    normal_cdf,
    whole,
)
from factorloom.expressions.errors import ArgumentError, ParameterError

__all__ = [
    "NeweyWest",
    "Regression",
    "benjamini_hochberg",
    "block_bootstrap",
    "newey_west",
    "regression",
]

EXACT_FIT = 1e-24
"""Share of unexplained variance at or below which a regression has no standard error: the rest is rounding."""


class NeweyWest(NamedTuple):
    """A mean and how far it can be trusted."""

    mean: Array
    se: Array
    t: Array
    p: Array
    lags: Counts


class Regression(NamedTuple):
    """A line through pairs of values."""

    alpha: Array
    beta: Array
    alpha_t: Array
    beta_t: Array
    r_squared: Array
    lags: Counts


def newey_west(series: npt.ArrayLike, lags: npt.ArrayLike | None = None, *, horizon: npt.ArrayLike = 1) -> NeweyWest:
    """Mean of a series, with the standard error that autocorrelation leaves it (Newey and West 1987).

    `se**2 = (g[0] + 2 * sum_l (1 - l / (lags + 1)) * g[l]) / n`, with `g[l] = sum_t u[t] * u[t - l] / n` and
    `u` the deviations from the mean. No correction for small samples: it is OLS on a constant of statsmodels with
    `cov_type="HAC"` and `use_correction=False`. `p` is two-sided, from the normal distribution.

    Parameters
    ----------
    series
        (T,) or (T, K). Missing dates are left out: the present values are taken in order.
    lags
        Of the kernel, one for all or one per series. Default: `max(horizon - 1, floor(4 * (n / 100) ** (2 / 9)))`,
        for `n` present values.
    horizon
        Dates that one value spans, one for all or one per series.

    Returns
    -------
    NeweyWest
        `mean` (missing only without a value), `se`, `t`, `p` (missing also for fewer than three values or
        `lags + 2`, and for a constant), `lags`.

    Raises
    ------
    ParameterError, ArgumentError
        Lags are negative or not whole; the series is not numbers of one of the two shapes.

    Examples
    --------
    >>> import numpy as np
    >>> found = newey_west(np.array([0.02, 0.03, np.nan, 0.01, 0.04, 0.02, 0.03]), lags=1)
    >>> [round(float(x), 4) for x in found[:3]], int(found.lags)
    ([0.025, 0.0019, 13.4164], 1)
    """
    columns = as_columns(series)
    away = deviations(columns)
    used = _lags(lags, away.present, horizon)
    with np.errstate(all="ignore"):
        se = np.sqrt(long_run(away.values, away.values, used)) / away.present
        se = finite(np.where(away.varied & (used < away.present - 1) & (se > 0), se, np.nan))
        t = finite(away.mean / se)
    mean, se, t, p = (_as_given(each, series) for each in (finite(away.mean), se, t, 2 * normal_cdf(-np.abs(t))))
    return NeweyWest(mean, se, t, p, used.reshape(mean.shape))


def benjamini_hochberg(p: npt.ArrayLike) -> Array:
    """The smallest false discovery rate at which each hypothesis is rejected (Benjamini and Hochberg 1995).

    `q[i] = min over j with p[j] >= p[i] of min(1, p[j] * m / rank(p[j]))`, over the `m` present values.

    Parameters
    ----------
    p
        (m,), or (m, K) for K families, each along the first axis. A missing one stays missing and is not counted.

    Raises
    ------
    ParameterError
        A value outside [0, 1].

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, float("nan"), 0.03]).round(4).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    columns = as_columns(p)
    if (columns < 0).any() or (columns > 1).any():
        raise ParameterError("p must be probabilities from 0 to 1")
    order = np.argsort(columns, axis=0, kind="stable")
    tests = (~np.isnan(columns)).sum(axis=0)
    scaled = np.take_along_axis(columns, order, axis=0) * tests / np.arange(1, len(columns) + 1)[:, None]
    falling = np.fmin.accumulate(scaled[::-1], axis=0)[::-1]
    result = np.empty_like(columns)
    np.put_along_axis(result, order, np.minimum(falling, 1), axis=0)
    return np.where(np.isnan(columns), np.nan, result).reshape(np.shape(p))


def block_bootstrap(
    series: npt.ArrayLike,
    block: int | None = None,
    *,
    horizon: npt.ArrayLike = 1,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Interval of the mean from resampled blocks of consecutive dates (circular blocks, Politis and Romano 1992).

    Each draw joins `ceil(n / block)` blocks that start anywhere and wrap around the end, cuts the last one so that `n`
    values remain, and takes their mean; the interval lies between the quantiles `(1 - level) / 2` and
    `(1 + level) / 2` of the draws' means, linearly interpolated. All series use the same random numbers, and none
    depends on the others.

    Parameters
    ----------
    series
        (T,) or (T, K). The present values are taken in order.
    block
        Values in a block. Default: `max(horizon, ceil(n ** (1 / 3)))`.
    horizon
        Dates that one value spans, one for all or one per series.
    draws, level, seed
        Resampled means, the share of them inside the interval, and the seed of the random numbers.

    Returns
    -------
    tuple
        Lower and upper end; missing for fewer than three values, no more than one block, or a constant.

    Raises
    ------
    ParameterError, ArgumentError
        A parameter is out of range; the series is not numbers of one of the two shapes.

    Examples
    --------
    >>> import numpy as np
    >>> low, high = block_bootstrap(np.sin(np.arange(200.0)) + 0.5, seed=1)
    >>> bool(0.4 < low < 0.5 < high < 0.6)
    True
    """
    level, draws = check_number("level", level, 0, 1), check_whole("draws", draws, 1)
    size = None if block is None else check_whole("block", block, 1)
    away = deviations(as_columns(series))
    spans = _each("horizon", horizon, away.present, 1)
    sizes = np.array([size or max(span, _cube_root(int(n))) for n, span in zip(away.present, spans, strict=True)])
    blocks = -(-away.present // sizes)
    usable = away.varied & (blocks >= 2)
    uniform = np.random.default_rng(seed).random((int(blocks[usable].max(initial=0)), draws))
    low, high = np.full((2, len(blocks)), np.nan)
    for length, width in set(zip(away.present[usable].tolist(), sizes[usable].tolist(), strict=True)):
        starts = (uniform[: -(-length // width)] * length).astype(np.int64)
        alike = usable & (away.present == length) & (sizes == width)
        means = away.mean[alike] + _resampled(away.values[:length, alike], width, starts)
        low[alike], high[alike] = np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return _as_given(finite(low), series), _as_given(finite(high), series)


def regression(
    y: npt.ArrayLike,
    x: npt.ArrayLike,
    lags: npt.ArrayLike | None = None,
    *,
    horizon: npt.ArrayLike = 1,
    hac: bool = True,
) -> Regression:
    """Least squares `y = alpha + beta * x + e`, with t statistics that autocorrelation and unequal variance leave.

    With `hac`, the covariance is that of Newey and West with Bartlett's kernel, without correction for small samples:
    OLS of statsmodels with `cov_type="HAC"`; otherwise the classical one, with n - 2 degrees of freedom.

    Parameters
    ----------
    y, x
        (T,) or (T, K), of the same length; one `x` serves all `y`. Dates where both are present are used, in order.
    lags, horizon
        As in `newey_west`.
    hac
        Whether residuals may be correlated and of unequal variance.

    Returns
    -------
    Regression
        `alpha`, `beta`, `alpha_t`, `beta_t`, `r_squared`, `lags`. All are missing for fewer than three pairs or where
        a side is constant; the t statistics also for an exact fit, or fewer than `lags + 2` pairs.

    Raises
    ------
    ParameterError, ArgumentError
        As in `newey_west`; the two sides do not have the same dates.

    Examples
    --------
    >>> import numpy as np
    >>> market = np.array([0.01, -0.02, 0.03, 0.0, -0.01])
    >>> found = regression(0.001 + 2 * market + np.array([1, -1, 1, -1, 0]) / 1000, market, hac=False)
    >>> round(float(found.alpha), 4), round(float(found.beta), 2), round(float(found.r_squared), 4)
    (0.0009, 2.04, 0.9997)
    """
    left, right = as_columns(y), as_columns(x)
    if len(left) != len(right) or right.shape[1] not in (1, left.shape[1]):
        raise ArgumentError(f"y and x must have the same dates and series, got {np.shape(y)} and {np.shape(x)}")
    both = ~(np.isnan(left) | np.isnan(right))
    of_y, of_x = deviations(np.where(both, left, np.nan)), deviations(np.where(both, right, np.nan))
    used = _lags(lags, of_y.present, horizon) if hac else np.zeros_like(of_y.present)
    line = _line(of_y, of_x, used, hac)
    known = of_y.varied & of_x.varied
    alpha, beta, alpha_t, beta_t, r_squared = (_as_given(np.where(known, finite(each), np.nan), y) for each in line)
    return Regression(alpha, beta, alpha_t, beta_t, r_squared, used.reshape(alpha.shape))


def _line(y: Deviations, x: Deviations, lags: Counts, hac: bool) -> tuple[Array, ...]:
    """Alpha, beta, their t and R²: with x less its mean, the two coefficients are orthogonal."""
    count = y.present
    with np.errstate(all="ignore"):
        of_x, of_y = (x.values**2).sum(axis=0), (y.values**2).sum(axis=0)
        beta = (x.values * y.values).sum(axis=0) / of_x
        residual = y.values - beta * x.values
        unexplained = (residual**2).sum(axis=0)
        if hac:
            moment = residual * x.values
            level, slope = long_run(residual, residual, lags) / count**2, long_run(moment, moment, lags) / of_x**2
            both = long_run(residual, moment, lags) / (count * of_x)
        else:
            level = unexplained / (count - 2) / count
            slope, both = level * count / of_x, np.zeros_like(level)
        usable = (unexplained > EXACT_FIT * of_y) & (lags < count - 1)
        deviation = np.sqrt(np.where(usable, [level - 2 * x.mean * both + x.mean**2 * slope, slope], np.nan))
        alpha = y.mean - beta * x.mean
        return alpha, beta, alpha / deviation[0], beta / deviation[1], 1 - unexplained / of_y


def _resampled(values: Array, block: int, starts: Counts) -> Array:
    """The means (draws, series). Sums of blocks are differences of the sums of all values before a place."""
    count = len(values)
    rest = count - (len(starts) - 1) * block
    before = np.zeros((count + block + 1, values.shape[1]))
    np.cumsum(np.concatenate([values, values[:block]]), axis=0, out=before[1:])
    of_block, of_rest = before[block:][:count] - before[:count], before[rest:][:count] - before[:count]
    total, some = np.zeros((starts.shape[1], values.shape[1])), np.empty((starts.shape[1], values.shape[1]))
    for place in starts[:-1]:
        total += np.take(of_block, place, axis=0, out=some, mode="clip")
    total += of_rest[starts[-1]]
    return total / count


def _cube_root(count: int) -> int:
    """The smallest whole number whose cube is at least `count`."""
    root = round(math.cbrt(count))
    return root if root**3 >= count else root + 1


def _lags(lags: npt.ArrayLike | None, count: Counts, horizon: npt.ArrayLike) -> Counts:
    """The lags of each series."""
    spans = _each("horizon", horizon, count, 1)
    return automatic_lags(count, spans) if lags is None else _each("lags", lags, count, 0)


def _each(name: str, value: npt.ArrayLike, count: Counts, least: int) -> Counts:
    """A whole number for each series."""
    chosen = whole(name, value, least)
    if chosen.ndim and chosen.shape != count.shape:
        raise ParameterError(f"{name} must be one number, or one for each of {len(count)} series, got {value!r}")
    return np.broadcast_to(chosen, count.shape)


def _as_given(result: Array, series: npt.ArrayLike) -> Array:
    """One number for one series, an array for several."""
    return result.reshape(np.shape(series)[1:])
