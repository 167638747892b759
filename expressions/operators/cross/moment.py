"""Sums, means and deviations across the symbols of one date.

Missing values are ignored, and stay missing. The meaning and the kernel see one cross-section; within groups
(`group.py`) they see one category of one date. Most kernels read `section_moments` (see `section.py`).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.section import (
    around_mean,
    deviation_in,
    like,
    mean_in,
    section_deviation,
    section_mean,
    section_moments,
    section_sums,
    spread_over,
    total_size,
)
from factorloom.expressions.operators.loop.window import average, centred, present
from factorloom.expressions.parameter import Real

__all__ = [
    "cs_count",
    "cs_demean",
    "cs_max",
    "cs_mean",
    "cs_min",
    "cs_scale",
    "cs_std",
    "cs_sum",
    "cs_zscore",
]

Array: TypeAlias = npt.NDArray[np.float64]
Total: TypeAlias = Annotated[float, Real(above=0)]


@operator(Axis.CROSS)
def cs_count(x: Input) -> Factor:
    """The number of symbols of the date that have a value; missing where the symbol has none.

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


@cs_count.kernel_from(section_sums)
def _(x: Array, count: Array, out: Array) -> None:
    n = count[0]
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else n


@operator(Axis.CROSS)
def cs_sum(x: Input) -> Factor:
    """The sum over the symbols of the date; missing where `x` is.

    `cs_sum(amount)` is the turnover of the market.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_sum(fl.close)))
    date            A     B     C
    2024-01-02   30.0  30.0     -
    2024-01-03   35.0  35.0  35.0
    2024-01-04   41.0  41.0  41.0
    """


@cs_sum.meaning
def _(x: Array) -> Array:
    return like(x, present(x).sum())


@cs_sum.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, x.sum())


@cs_sum.kernel_from(section_sums)
def _(x: Array, count: Array, base: Array, total: Array, out: Array) -> None:
    whole = count[0] * base[0] + total[0]
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else whole


@operator(Axis.CROSS)
def cs_mean(x: Input) -> Factor:
    """The mean over the symbols of the date; missing where `x` is.

    `cs_mean(returns)` is an equal-weighted market return.

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


@cs_mean.kernel_from(section_sums)
def _(x: Array, count: Array, base: Array, total: Array, out: Array) -> None:
    middle = section_mean(count, base, total)
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else middle


@operator(Axis.CROSS)
def cs_min(x: Input) -> Factor:
    """The smallest value among the symbols of the date; missing where `x` is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_min(fl.close)))
    date            A     B    C
    2024-01-02   10.0  10.0    -
    2024-01-03    5.0   5.0  5.0
    2024-01-04    7.0   7.0  7.0
    """


@cs_min.meaning
def _(x: Array) -> Array:
    return like(x, present(x).min()) if present(x).size else x


@cs_min.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, x.min())


@cs_min.kernel
def _(x: Array, out: Array) -> None:
    best = np.inf
    for i in range(x.size):
        best = x[i] if x[i] < best else best
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else best


@operator(Axis.CROSS)
def cs_max(x: Input) -> Factor:
    """The largest value among the symbols of the date; missing where `x` is.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_max(fl.close)))
    date            A     B     C
    2024-01-02   20.0  20.0     -
    2024-01-03   19.0  19.0  19.0
    2024-01-04   22.0  22.0  22.0
    """


@cs_max.meaning
def _(x: Array) -> Array:
    return like(x, present(x).max()) if present(x).size else x


@cs_max.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, x.max())


@cs_max.kernel
def _(x: Array, out: Array) -> None:
    best = -np.inf
    for i in range(x.size):
        best = x[i] if x[i] > best else best
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else best


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


@cs_demean.kernel_from(section_sums)
def _(x: Array, count: Array, base: Array, total: Array, out: Array) -> None:
    n, first, deviations = count[0], base[0], total[0]
    for i in range(x.size):
        out[i] = (n * (x[i] - first) - deviations) / n


@operator(Axis.CROSS, version=2)
def cs_std(x: Input) -> Factor:
    """The sample standard deviation (ddof 1) over the symbols of the date.

    Missing where `x` is, and where fewer than two symbols have a value.

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
    return like(x, centred(present(x)).std(ddof=1))


@cs_std.polars
def _(x: pl.Expr) -> pl.Expr:
    return spread_over(x, deviation_in(x))


@cs_std.kernel_from(section_moments)
def _(x: Array, count: Array, square: Array, out: Array) -> None:
    spread = section_deviation(count, square)
    for i in range(x.size):
        out[i] = np.nan if np.isnan(x[i]) else spread


@operator(Axis.CROSS, version=2)
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
    is_present, out = ~np.isnan(x), np.full(x.size, np.nan)
    if is_present.sum() > 1:
        deviations = centred(x[is_present])
        out[is_present] = deviations / deviations.std(ddof=1)
    return out


@cs_zscore.polars
def _(x: pl.Expr) -> pl.Expr:
    return around_mean(x) / deviation_in(x)


@cs_zscore.kernel_from(section_moments)
def _(x: Array, count: Array, base: Array, total: Array, square: Array, out: Array) -> None:
    n, first, deviations = count[0], base[0], total[0]
    spread = n * section_deviation(count, square) if square[0] > 0 else np.nan
    for i in range(x.size):
        out[i] = (n * (x[i] - first) - deviations) / spread


@operator(Axis.CROSS)
def cs_scale(x: Input, *, total: Total = 1.0) -> Factor:
    """`x` scaled so that its absolute values on the date add up to `total`.

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
    size = total_size(x)
    size = size if size > 0 else np.nan
    for i in range(x.size):
        out[i] = total * x[i] / size
