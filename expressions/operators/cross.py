"""Operators across the symbols of one date.

Missing members are ignored, and stay missing. The meaning and the kernel see one cross-section; within groups
(`group.py`) they see one category of one date.
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
from factorloom.expressions.operators.section import (
    around_mean,
    centre,
    deviation,
    like,
    mean,
    mean_in,
    middle_and_mad,
    quantile,
    spread_over,
)
from factorloom.expressions.operators.window import average, present
from factorloom.expressions.parameter import Choice, Real, Value

__all__ = [
    "cs_count",
    "cs_demean",
    "cs_mean",
    "cs_rank",
    "cs_robust_zscore",
    "cs_scale",
    "cs_std",
    "cs_winsorize",
    "cs_zscore",
]

Array: TypeAlias = npt.NDArray[np.float64]
Limit: TypeAlias = Annotated[float, Real(above=0)]


class _Method(Choice):
    """The way to find the limits; a quantile's limit is a share."""

    def check(self, name: str, value: object, others: Mapping[str, Value]) -> Value:
        word, limit = super().check(name, value, others), others["limit"]
        if word == "quantile" and not (isinstance(limit, float) and limit < 0.5):
            raise ParameterError(f"limit must be below 0.5 with method='quantile', got {limit}")
        return word


WinsorizeMethod: TypeAlias = Annotated[str, _Method(("mad", "std", "quantile"))]

NORMAL_MAD = 1.482602218505602
"""The standard deviation of a normal distribution over its median absolute deviation."""


@operator(Axis.CROSS)
def cs_rank(x: Input) -> Factor:
    """The percent rank among the symbols of the date, in (0, 1]; 1 is the largest.

    Ties take the mean of their ranks: pandas' `rank(pct=True)`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_rank(fl.close)))
    date             A    B      C
    2024-01-02     0.5  1.0      -
    2024-01-03   0.667  1.0  0.333
    2024-01-04   0.667  1.0  0.333
    """


@cs_rank.meaning
def _(x: Array) -> Array:
    below = (x[:, None] > x[None, :]).sum(axis=1)
    same = (x[:, None] == x[None, :]).sum(axis=1)
    return np.where(np.isnan(x), np.nan, (below + (same + 1) / 2) / max(1, present(x).size))


@cs_rank.polars
def _(x: pl.Expr) -> pl.Expr:
    return x.rank("average") / x.count()


@cs_rank.kernel
def _(x: Array, out: Array) -> None:
    order = np.argsort(x)
    n = 0
    while n < x.size and not np.isnan(x[order[n]]):
        n += 1
    start = 0
    while start < n:
        stop = start + 1
        while stop < n and x[order[stop]] == x[order[start]]:
            stop += 1
        for k in range(start, stop):
            out[order[k]] = (start + stop + 1) / 2 / n
        start = stop
    for k in range(n, x.size):
        out[order[k]] = np.nan


@operator(Axis.CROSS)
def cs_count(x: Input) -> Factor:
    """The number of symbols of the date that have a value, for those that have one.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_count(fl.returns)))
    date           A    B    C
    2024-01-02     -    -    -
    2024-01-03   2.0  2.0    -
    2024-01-04   3.0  3.0  3.0
    """


@cs_count.meaning
def _(x: Array) -> Array:
    return like(x, present(x).size)


@cs_count.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, x.count())


@cs_count.kernel
def _(x: Array, out: Array) -> None:
    values = x[~np.isnan(x)]
    for i in range(x.size):
        out[i] = values.size if not np.isnan(x[i]) else np.nan


@operator(Axis.CROSS)
def cs_mean(x: Input) -> Factor:
    """The mean over the symbols of the date, for those that have a value: `cs_mean(returns)` is an equal-weighted
    market return.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_mean(fl.close)))
    date              A       B       C
    2024-01-02     15.0    15.0       -
    2024-01-03   11.667  11.667  11.667
    2024-01-04   13.667  13.667  13.667
    """


@cs_mean.meaning
def _(x: Array) -> Array:
    return like(x, average(present(x))) if present(x).size else x


@cs_mean.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, mean_in(x))


@cs_mean.kernel
def _(x: Array, out: Array) -> None:
    middle = mean(x)
    for i in range(x.size):
        out[i] = middle if not np.isnan(x[i]) else np.nan


@operator(Axis.CROSS)
def cs_demean(x: Input) -> Factor:
    """`x - cs_mean(x)`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_demean(fl.close)))
    date              A      B       C
    2024-01-02     -5.0    5.0       -
    2024-01-03   -0.667  7.333  -6.667
    2024-01-04   -1.667  8.333  -6.667
    """


@cs_demean.meaning
def _(x: Array) -> Array:
    if not present(x).size:
        return x
    shifted: Array = x - present(x)[0]
    return shifted - float(present(shifted).mean())


@cs_demean.polars
def _(x: pl.Expr) -> pl.Expr:
    return around_mean(x)


@cs_demean.kernel
def _(x: Array, out: Array) -> None:
    base, total, n = centre(x)
    for i in range(x.size):
        out[i] = (n * (x[i] - base) - total) / n


@operator(Axis.CROSS)
def cs_std(x: Input) -> Factor:
    """The sample standard deviation (ddof 1) over the symbols of the date, for those that have a value.

    Missing where fewer than two symbols have a value.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_std(fl.close)))
    date             A      B      C
    2024-01-02   7.071  7.071      -
    2024-01-03   7.024  7.024  7.024
    2024-01-04   7.638  7.638  7.638
    """


@cs_std.meaning
def _(x: Array) -> Array:
    if present(x).size < 2:
        return like(x, np.nan)
    return like(x, (present(x) - present(x)[0]).std(ddof=1))


@cs_std.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, around_mean(x).std())


@cs_std.kernel
def _(x: Array, out: Array) -> None:
    spread = deviation(x)
    for i in range(x.size):
        out[i] = spread if not np.isnan(x[i]) else np.nan


@operator(Axis.CROSS)
def cs_zscore(x: Input) -> Factor:
    """`(x - mean) / standard deviation` (ddof 1) over the symbols of the date.

    Missing where fewer than two symbols have a value, and where all values are the same.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_zscore(fl.close)))
    date              A      B       C
    2024-01-02   -0.707  0.707       -
    2024-01-03   -0.095  1.044  -0.949
    2024-01-04   -0.218  1.091  -0.873
    """


@cs_zscore.meaning
def _(x: Array) -> Array:
    values = present(x)
    if values.size < 2 or np.ptp(values) == 0:
        return like(x, np.nan)
    shifted: Array = x - values[0]
    values = present(shifted)
    return (shifted - float(values.mean())) / float(values.std(ddof=1))


@cs_zscore.polars
def _(x: pl.Expr) -> pl.Expr:
    return around_mean(x) / around_mean(x).std()


@cs_zscore.kernel
def _(x: Array, out: Array) -> None:
    base, total, n = centre(x)
    spread = deviation(x)
    for i in range(x.size):
        out[i] = (n * (x[i] - base) - total) / n / spread if spread > 0 else np.nan


@operator(Axis.CROSS)
def cs_robust_zscore(x: Input) -> Factor:
    """`(x - median) / (1.4826 * MAD)` over the symbols of the date, with MAD the median of `|x - median|`.

    On normal values it equals the z-score; one wild value changes neither median nor MAD. Missing where the MAD is
    0, that is where half of the values or more are the same.

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
    values = present(x)
    if not values.size:
        return x
    middle = float(np.median(values))
    return (x - middle) / (NORMAL_MAD * float(np.median(np.abs(values - middle))))


@cs_robust_zscore.polars
def _(x: pl.Expr) -> pl.Expr:
    return (x - x.median()) / (NORMAL_MAD * (x - x.median()).abs().median())


@cs_robust_zscore.kernel
def _(x: Array, out: Array) -> None:
    middle, spread = middle_and_mad(x)
    for i in range(x.size):
        out[i] = (x[i] - middle) / (NORMAL_MAD * spread) if spread > 0 else np.nan


@operator(Axis.CROSS)
def cs_scale(x: Input, *, total: Annotated[float, Real(above=0)] = 1.0) -> Factor:
    """`x` scaled so that absolute values of the date add up to `total`.

    Missing where all values are 0.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_scale(fl.close)))
    date             A      B      C
    2024-01-02   0.333  0.667      -
    2024-01-03   0.314  0.543  0.143
    2024-01-04   0.293  0.537  0.171
    """


@cs_scale.meaning
def _(x: Array, total: float) -> Array:
    return total * x / float(np.abs(present(x)).sum())


@cs_scale.polars
def _(x: pl.Expr, total: float) -> pl.Expr:
    return total * x / x.abs().sum()


@cs_scale.kernel
def _(x: Array, total: float, out: Array) -> None:
    size = np.nansum(np.abs(x))
    for i in range(x.size):
        out[i] = total * x[i] / size if size > 0 else np.nan


@operator(Axis.CROSS)
def cs_winsorize(x: Input, *, limit: Limit = 3.0, method: WinsorizeMethod = "mad") -> Factor:
    """`x` held within limits taken from the date, so that no wild value rules a score.

    - `method="mad"`: median ± `limit` * 1.4826 * MAD; unchanged where the MAD is 0, for then there is no scale to
      call a value wild;
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
        centre_, spread = (values.mean(), values.std(ddof=1)) if method == "std" else (np.median(values), 0.0)
        if method == "mad":
            spread = NORMAL_MAD * np.median(np.abs(values - centre_))
        if spread == 0:
            return x
        lower, upper = centre_ - limit * spread, centre_ + limit * spread
    return np.clip(x, lower, upper)


@cs_winsorize.polars
def _(x: pl.Expr, limit: float, method: str) -> pl.Expr:
    if method == "quantile":
        return x.clip(x.quantile(limit, "linear"), x.quantile(1 - limit, "linear"))
    middle, spread = x.median(), NORMAL_MAD * (x - x.median()).abs().median()
    if method == "std":
        middle, spread = mean_in(x), around_mean(x).std()
    return pl.when(spread > 0).then(x.clip(middle - limit * spread, middle + limit * spread)).otherwise(x)


@cs_winsorize.kernel
def _(x: Array, limit: float, method: int, out: Array) -> None:
    lower, upper = -np.inf, np.inf
    if method == 2:
        values = np.sort(x[~np.isnan(x)])
        if values.size > 0:
            lower, upper = quantile(values, limit), quantile(values, 1 - limit)
    else:
        if method == 0:
            middle, spread = middle_and_mad(x)
            spread *= NORMAL_MAD
        else:
            middle, spread = mean(x), deviation(x)
        if spread > 0:
            lower, upper = middle - limit * spread, middle + limit * spread
    for i in range(x.size):
        out[i] = min(max(x[i], lower), upper) if not np.isnan(x[i]) else np.nan
