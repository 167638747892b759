"""What a series of returns amounts to: per year, Sharpe ratio and its luck, drawdown, hit rate, half-life, order.

Series have the shape (T,), or (T, K) for K series at once; missing is NaN, and never an infinity comes back.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from factorloom.engine.research.series import (
    FEWEST,
    Array,
    Counts,
    Deviations,
    as_columns,
    check_number,
    check_whole,
    deviations,
    finite,
    long_run,
    normal_cdf,
    whole,
)
from factorloom.expressions.errors import ParameterError

__all__ = [
    "AnnualReturn",
    "annual",
    "deflated_sharpe",
    "drawdown",
    "expected_maximum_sharpe",
    "half_life",
    "hit_rate",
    "monotonicity",
    "probabilistic_sharpe",
    "sharpe",
]

EULER = 0.57721566490153286


class AnnualReturn(NamedTuple):
    """Returns per year."""

    mean: Array
    volatility: Array
    compound: Array


def annual(returns: npt.ArrayLike, per_year: float) -> AnnualReturn:
    """Mean return, volatility and compound return per year of returns per date.

    `mean * per_year`, `std * sqrt(per_year)` (n - 1) and `prod(1 + r) ** (per_year / n) - 1`, over the `n` present
    returns. The compound return is -1 once a return is -1 or below: everything is lost. Fewer than three returns give
    missing; of a constant only the volatility is missing.

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(x), 4) for x in annual(np.array([0.01, -0.01, 0.02, 0.0]), 252)]
    [1.26, 0.2049, 2.46]
    """
    years = check_number("per_year", per_year, 0, np.inf)
    columns = as_columns(returns)
    away = deviations(columns)
    enough = away.present >= FEWEST
    with np.errstate(all="ignore"):
        volatility = np.sqrt((away.values**2).sum(axis=0) / (away.present - 1) * years)
        growth = np.log1p(np.where(np.isnan(columns), 0, np.maximum(columns, -1))).sum(axis=0) / away.present
        compound = np.expm1(growth * years)
    found = (
        np.where(enough, away.mean * years, np.nan),
        np.where(away.varied, volatility, np.nan),
        np.where(enough, compound, np.nan),
    )
    return AnnualReturn(*(finite(each).reshape(np.shape(returns)[1:]) for each in found))


def sharpe(returns: npt.ArrayLike, per_year: float, *, lags: npt.ArrayLike = 0) -> Array:
    """Sharpe ratio per year of returns per date: `mean / std * sqrt(per_year)`, without a risk-free rate.

    With lags, the long-run standard deviation of Newey and West takes the place of `std` (Lo 2002): returns of
    overlapping portfolios are correlated, and their own `std` flatters them by up to `sqrt(horizon)`.

    Parameters
    ----------
    returns
        (T,) or (T, K).
    per_year
        Dates per year.
    lags
        Of Bartlett's kernel, one or one per series; 0: the ordinary standard deviation with n - 1.

    Returns
    -------
    numpy.ndarray
        Missing for fewer than three returns, fewer than `lags + 2`, or a constant.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(sharpe(np.array([0.01, -0.01, 0.02, 0.0]), 252)), 4)
    6.1482
    """
    years = check_number("per_year", per_year, 0, np.inf)
    away = deviations(as_columns(returns))
    used = whole("lags", lags, 0)
    with np.errstate(all="ignore"):
        ratio = away.mean / np.sqrt(long_run(away.values, away.values, used) / (away.present - 1)) * np.sqrt(years)
    known = away.varied & (used < away.present - 1)
    return np.where(known, finite(ratio), np.nan).reshape(np.shape(returns)[1:])


def probabilistic_sharpe(returns: npt.ArrayLike, benchmark: npt.ArrayLike = 0.0, *, lags: npt.ArrayLike = 0) -> Array:
    """Probability that the true Sharpe ratio is above a benchmark (Bailey and López de Prado 2012).

    `Phi((s - benchmark) * sqrt(n - 1) / sqrt(1 - skew * s + (kurtosis - 1) / 4 * s**2))`, with `s` the Sharpe ratio per
    date (standard deviation with n - 1), and the moments of the population (kurtosis of a normal: 3).

    Parameters
    ----------
    returns
        (T,) or (T, K), per date.
    benchmark
        A Sharpe ratio per date, not per year; one, or one per series.
    lags
        Of the long-run variance that replaces the variance in `s`; 0 takes returns as uncorrelated. Returns of
        overlapping portfolios need `horizon - 1`.

    Examples
    --------
    >>> import numpy as np
    >>> round(float(probabilistic_sharpe(np.tile([0.03, -0.01, -0.01], 20))), 4)
    0.9244
    """
    away = deviations(as_columns(returns))
    return _probability(away, np.asarray(benchmark, dtype=np.float64), whole("lags", lags, 0)).reshape(
        np.shape(returns)[1:]
    )


def expected_maximum_sharpe(trials: int, variance: npt.ArrayLike) -> Array:
    """The largest of `trials` Sharpe ratios that is expected where none has skill (Bailey and López de Prado 2014).

    `sqrt(variance) * ((1 - g) * z(1 - 1 / trials) + g * z(1 - 1 / (trials * e)))`, with `z` the normal quantile and `g`
    Euler's constant; 0 for one trial.

    Examples
    --------
    >>> round(float(expected_maximum_sharpe(100, 1.0)), 4)
    2.5306
    """
    count = check_whole("trials", trials, 1)
    size = np.sqrt(_not_negative("variance", variance))
    if count == 1:
        return size * 0
    quantile = NormalDist().inv_cdf
    return size * -((1 - EULER) * quantile(1 / count) + EULER * quantile(1 / (count * math.e)))


def deflated_sharpe(
    returns: npt.ArrayLike, trials: int, variance: npt.ArrayLike | None = None, *, lags: npt.ArrayLike = 0
) -> Array:
    """Probability that the true Sharpe ratio is above what the best of `trials` without skill would show.

    `probabilistic_sharpe(returns, expected_maximum_sharpe(trials, variance))`: Bailey and López de Prado (2014).

    Parameters
    ----------
    returns
        (T,) or (T, K), per date.
    trials
        Independent factors tried, those thrown away included.
    variance
        Of the Sharpe ratios per date of the trials. Default: `1 / (n - 1)`, that of an estimate from `n` returns
        without skill.
    lags
        As in `probabilistic_sharpe`.

    Raises
    ------
    ParameterError, ArgumentError
        `trials` is below 1, `variance` negative, or the returns are not numbers of one of the two shapes.

    Examples
    --------
    >>> import numpy as np
    >>> returns = np.tile([0.03, -0.01, -0.01], 20)
    >>> [round(float(deflated_sharpe(returns, trials)), 4) for trials in (1, 10, 100)]
    [0.9244, 0.4039, 0.1034]
    """
    away = deviations(as_columns(returns))
    if variance is None:
        variance = 1 / np.maximum(away.present - 1, 1)
    benchmark = expected_maximum_sharpe(trials, variance)
    return _probability(away, benchmark, whole("lags", lags, 0)).reshape(np.shape(returns)[1:])


def drawdown(cumulative: npt.ArrayLike) -> Array:
    """Loss since the highest point so far: `(1 + c[t]) / max(1, 1 + c[s] for s <= t) - 1`, at most 0.

    Parameters
    ----------
    cumulative
        (T,) or (T, K): compounded return since the start, 0 at the start (wealth is `1 + c`). A missing date is missing
        and changes no other.

    Examples
    --------
    >>> drawdown([-0.1, 0.2, 0.08, 0.5]).round(4).tolist()
    [-0.1, 0.0, -0.1, 0.0]
    """
    wealth = 1 + as_columns(cumulative)
    peak = np.maximum.accumulate(np.fmax(wealth, 1), axis=0)
    return finite(wealth / peak - 1).reshape(np.shape(cumulative))


def hit_rate(series: npt.ArrayLike) -> Array:
    """Share of the present values that have the sign of their mean; zeros have none.

    Missing for fewer than three values, or a mean of 0.

    Examples
    --------
    >>> float(hit_rate([0.1, 0.2, -0.05, 0.0]))
    0.5
    """
    columns = as_columns(series)
    away = deviations(columns)
    hits = (np.sign(columns) == np.sign(away.mean)).sum(axis=0)
    known = (away.present >= FEWEST) & (away.mean != 0)
    share = np.where(known, hits / np.maximum(away.present, 1), np.nan)
    return share.reshape(np.shape(series)[1:])


def monotonicity(means: npt.ArrayLike) -> Array:
    """Spearman correlation of the quantiles' numbers and their means: 1 where every quantile earns more than the last.

    Parameters
    ----------
    means
        (Q,), or (Q, K): mean return of each quantile, from the lowest factor value to the highest. Missing quantiles
        are left out, ties share their mean rank.

    Returns
    -------
    numpy.ndarray
        From -1 to 1; missing for fewer than three quantiles, or equal means.

    Examples
    --------
    >>> float(monotonicity([0.01, 0.02, 0.03, 0.05, 0.04]))
    0.9
    """
    columns = as_columns(means)
    places = np.where(np.isnan(columns), np.nan, np.arange(float(len(columns)))[:, None])
    of_place, of_mean = deviations(_ranks(places)), deviations(_ranks(columns))
    with np.errstate(all="ignore"):
        size = np.sqrt((of_place.values**2).sum(axis=0) * (of_mean.values**2).sum(axis=0))
        found = (of_place.values * of_mean.values).sum(axis=0) / size
    return np.where(of_mean.varied, found, np.nan).reshape(np.shape(means)[1:])


def half_life(autocorrelation: npt.ArrayLike, lag: npt.ArrayLike) -> Array:
    """Dates after which the autocorrelation of a factor has halved: `lag * log(0.5) / log(autocorrelation)`.

    The autocorrelation at `lag` dates is taken as that of a first-order process. Missing unless it lies between 0
    and 1.

    Examples
    --------
    >>> half_life([0.5, 0.25, -0.1, 1.0], 5).tolist()
    [5.0, 2.5, nan, nan]
    """
    rho, dates = np.asarray(autocorrelation, dtype=np.float64), whole("lag", lag, 1)
    with np.errstate(all="ignore"):
        return finite(np.where((rho > 0) & (rho < 1), dates * np.log(0.5) / np.log(rho), np.nan))


def _ranks(columns: Array) -> Array:
    """Average ranks down each column, missing ones left out."""
    below = (columns[None] < columns[:, None]).sum(axis=1)
    equal = (columns[None] == columns[:, None]).sum(axis=1)
    return np.where(np.isnan(columns), np.nan, below + (equal + 1) / 2)


def _probability(away: Deviations, benchmark: Array, lags: Counts) -> Array:
    """That the true Sharpe ratio is above the benchmark."""
    count = away.present
    with np.errstate(all="ignore"):
        second, third, fourth = ((away.values**power).sum(axis=0) / count for power in (2, 3, 4))
        sharpe = away.mean / np.sqrt(long_run(away.values, away.values, lags) / (count - 1))
        spread = np.sqrt(1 - third / second**1.5 * sharpe + (fourth / second**2 - 1) / 4 * sharpe**2)
        score = (sharpe - benchmark) * np.sqrt(count - 1) / spread
    return normal_cdf(np.where(away.varied & (lags < count - 1), finite(score), np.nan))


def _not_negative(name: str, value: npt.ArrayLike) -> Array:
    given = np.asarray(value, dtype=np.float64)
    if (given < 0).any():
        raise ParameterError(f"{name} must not be negative, got {value!r}")
    return given
