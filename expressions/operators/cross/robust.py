"""Medians across the symbols of one date, robust scores, and outliers clipped.

Missing values are ignored, and stay missing. Every kernel reads `ordered` (see `section.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.errors import ParameterError
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.noise import denoised_spread, denoised_spread_column
from factorloom.expressions.operators.loop.section import (
    deviation_in,
    like,
    mean_in,
    median,
    median_distance,
    middle_of,
    ordered,
    present_in,
    quantile,
    section_deviation,
    section_mean,
    section_moments,
    spread_over,
)
from factorloom.expressions.operators.loop.window import around_median, centred, present
from factorloom.expressions.parameter import Choice, Real, Value

__all__ = ["cs_fill", "cs_median", "cs_robust_zscore", "cs_winsorize"]

Array: TypeAlias = npt.NDArray[np.float64]
Limit: TypeAlias = Annotated[float, Real(above=0)]


class _Method(Choice):
    """How the limits are computed; with quantiles, `limit` is a share of the symbols."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        method, limit = super().check(name, value, others), others["limit"]
        if method == "quantile" and not (isinstance(limit, float) and limit < 0.5):
            raise ParameterError(f"limit must be below 0.5 with method='quantile', got {limit}")
        return method


WinsorizeMethod: TypeAlias = Annotated[str, _Method(("mad", "std", "quantile"))]

NORMAL_MAD = 1.482602218505602
"""The standard deviation of a normal distribution divided by its median absolute deviation."""


@operator(Axis.CROSS)
def cs_median(x: Input) -> Factor:
    """The median over the symbols of the date, the mean of the middle two for an even number. Missing where `x` is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_median(fl.close)))
    date            A     B     C
    2024-01-02   15.0  15.0     -
    2024-01-03   11.0  11.0  11.0
    2024-01-04   12.0  12.0  12.0
    """


@cs_median.meaning
def _(x: Array) -> Array:
    return like(x, float(np.median(present(x)))) if present(x).size else x


@cs_median.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, x.median())


@cs_median.kernel_from(ordered)
def _(x: Array, ascending: Array, out: Array) -> None:
    middle = median(ascending[: present_in(ascending)])
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else middle


@operator(Axis.CROSS)
def cs_fill(x: Input) -> Factor:
    """`x`, or where it is missing the median over the symbols of the date.

    Missing where no symbol of the date has a value.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_fill(fl.returns)))
    date             A      B      C
    2024-01-02       -      -      -
    2024-01-03     0.1  -0.05  0.025
    2024-01-04   0.091  0.158    0.4
    """


@cs_fill.meaning
def _(x: Array) -> Array:
    return np.where(np.isnan(x), np.median(present(x)), x) if present(x).size else x


@cs_fill.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.fill_null(x.median())


@cs_fill.kernel_from(ordered)
def _(x: Array, ascending: Array, out: Array) -> None:
    middle = median(ascending[: present_in(ascending)])
    for i in range(x.size):
        out[i] = middle if np.isnan(x[i]) else x[i]


@operator(Axis.CROSS, version=2)
def cs_robust_zscore(x: Input) -> Factor:
    """`(x - median) / (1.4826 * MAD)` over the symbols of the date, with MAD the median of `|x - median|`.

    For normally distributed values it equals the z-score; a single outlier changes neither median nor MAD. Missing
    where the MAD is 0, that is where half of the values or more are equal.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_robust_zscore(fl.close)))
    date              A      B       C
    2024-01-02   -0.674  0.674       -
    2024-01-03      0.0  0.899  -0.674
    2024-01-04      0.0  1.349  -0.674

    Source: Huber & Ronchetti (2009), Robust Statistics, 2nd edition, section 5.1; the constant is
    `1 / norm.ppf(0.75)`.
    """


@cs_robust_zscore.meaning
def _(x: Array) -> Array:
    is_present, out = ~np.isnan(x), np.full(x.size, np.nan)
    if is_present.any():
        deviations = around_median(x[is_present])
        distance = denoised_spread(float(np.median(np.abs(deviations))), float(np.median(x[is_present])))
        out[is_present] = deviations / (NORMAL_MAD * distance)
    return out


@cs_robust_zscore.polars
def _(x: pl.Expr) -> pl.Expr:
    low = x.quantile(0.5, "lower")
    deviation = (x - low) - (x.quantile(0.5, "higher") - low) / 2
    return deviation / (NORMAL_MAD * denoised_spread_column(deviation.abs().median(), low))


@cs_robust_zscore.kernel_from(ordered)
def _(x: Array, ascending: Array, out: Array) -> None:
    values = ascending[: present_in(ascending)]
    low, middle = middle_of(values)
    spread = NORMAL_MAD * denoised_spread(median_distance(values, low, middle), low)
    spread = spread if spread > 0 else np.nan
    for i in range(x.size):
        out[i] = ((x[i] - low) - middle) / spread


@operator(Axis.CROSS, version=2)
def cs_winsorize(x: Input, *, limit: Limit = 3.0, method: WinsorizeMethod = "mad") -> Factor:
    """`x` clipped to limits computed from the date, so that no outlier dominates a score.

    - `method="mad"`: median ± `limit` * 1.4826 * MAD; unchanged where the MAD is 0, which gives no scale to call a
      value an outlier;
    - `method="std"`: mean ± `limit` standard deviations (ddof 1);
    - `method="quantile"`: between the quantiles `limit` and `1 - limit` (linear interpolation), `limit` below 0.5.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_winsorize(fl.close, limit=1)))
    date            A       B    C
    2024-01-02   10.0    20.0    -
    2024-01-03   11.0    19.0  5.0
    2024-01-04   12.0  19.413  7.0
    >>> print(fl.example().show(fl.cs_winsorize(fl.close, limit=0.25, method="quantile")))
    date            A     B    C
    2024-01-02   12.5  17.5    -
    2024-01-03   11.0  15.0  8.0
    2024-01-04   12.0  17.0  9.5
    """


@cs_winsorize.meaning
def _(x: Array, limit: float, method: str) -> Array:
    values = present(x)
    if values.size < 2:
        return x
    if method == "quantile":
        lower, upper = np.quantile(values, [limit, 1 - limit])
    else:
        centre, spread = np.mean(values), centred(values).std(ddof=1)
        if method == "mad":
            centre = np.median(values)
            spread = NORMAL_MAD * denoised_spread(float(np.median(np.abs(values - centre))), float(centre))
        if spread == 0:
            return x
        lower, upper = centre - limit * spread, centre + limit * spread
    return np.clip(x, lower, upper)


@cs_winsorize.polars
def _(x: pl.Expr, limit: float, method: str) -> pl.Expr:
    if method == "quantile":
        return x.clip(x.quantile(limit, "linear"), x.quantile(1 - limit, "linear"))
    middle = x.median()
    spread = NORMAL_MAD * denoised_spread_column((x - middle).abs().median(), middle)
    if method == "std":
        middle, spread = mean_in(x), deviation_in(x)
    return pl.when(spread > 0).then(x.clip(middle - limit * spread, middle + limit * spread)).otherwise(x)


@cs_winsorize.kernel_from(ordered, section_moments)
def _(
    x: Array,
    ascending: Array,
    count: Array,
    base: Array,
    total: Array,
    square: Array,
    limit: float,
    method: int,
    out: Array,
) -> None:
    values = ascending[: present_in(ascending)]
    lower, upper = -np.inf, np.inf
    if method == 2:
        if values.size > 0:
            lower, upper = quantile(values, limit), quantile(values, 1 - limit)
    else:
        low, middle = middle_of(values)
        spread = NORMAL_MAD * denoised_spread(median_distance(values, low, middle), low)
        middle += low
        if method == 1:
            middle, spread = section_mean(count, base, total), section_deviation(count, square)
        if spread > 0:
            lower, upper = middle - limit * spread, middle + limit * spread
    for i in range(x.size):
        out[i] = lower if x[i] < lower else upper if x[i] > upper else x[i]
