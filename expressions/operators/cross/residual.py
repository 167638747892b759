"""Regressions on several exposures across the symbols of a date, and their residuals."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input, Key
from factorloom.expressions.operator import grouped, lit, operator
from factorloom.expressions.operators.cell.logic import is_missing, where
from factorloom.expressions.operators.cross.group import group_demean
from factorloom.expressions.operators.loop.residual import fit, joint_members, residuals
from factorloom.expressions.operators.loop.window import Array
from factorloom.expressions.parameter import Flag

__all__ = ["cs_neutralize", "cs_residual", "group_residual"]

Intercept: TypeAlias = Annotated[bool, Flag()]


@operator(Axis.CROSS)
def cs_residual(x: Input, *exposures: Input, weight: Input = 1.0, intercept: Intercept = True) -> Factor:
    """The residual of `x` in a least-squares regression on the exposures over the symbols of the date.

    `x - a - b1 * exposure1 - b2 * exposure2 ...`, with the coefficients that minimise the sum of
    `weight * residual ** 2`; `intercept=False` leaves out `a`. A symbol with a missing `x` or exposure, or whose weight
    is not above 0, is left out and has no residual. Missing where there are no more symbols than coefficients. An
    exposure that is constant (with an intercept) or collinear with those before it changes nothing, and an `x` that is
    fully explained has residual 0; fully means to 1e-9 of its size, or to the rounding of its level.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_residual(fl.close, fl.volume)))
    date              A       B       C
    2024-01-02        -       -       -
    2024-01-03   -0.083   0.036   0.047
    2024-01-04     1.29  -0.242  -1.048
    """


cs_residual.meaning(residuals)


@cs_residual.polars
def _(x: pl.Expr, *exposures: pl.Expr, weight: pl.Expr, intercept: bool) -> pl.Expr:
    def section(columns: pl.Series) -> pl.Series:
        first, *others, last = columns.struct.unnest().to_numpy().T
        return pl.Series(residuals(first, *others, weight=last, intercept=intercept))

    columns = [column.alias(str(place)) for place, column in enumerate([x, *exposures, weight])]
    return pl.struct(columns).map_batches(section, return_dtype=pl.Float64)


@cs_residual.kernel
def _(x: Array, exposures: tuple[Array, ...], weight: Array, intercept: int, out: Array) -> None:
    members, rows = np.empty(x.size, np.int64), np.empty((len(exposures) + 2, x.size))
    out[:] = np.nan
    n = joint_members(x, exposures, weight, 0, x.size, members)
    if n > len(exposures) + intercept:
        rest = fit(x, exposures, weight, intercept, members[:n], rows[:, :n])
        for k in range(n):
            out[members[k]] = rest[k] / np.sqrt(weight[members[k]])


@grouped(cs_residual)
def group_residual(x: Input, *exposures: Input, weight: Input = 1.0, by: Key, intercept: Intercept = True) -> Factor:
    """`cs_residual` within each category of the column `by`, with coefficients of its own.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.group_residual(fl.close, fl.volume, by="sector", intercept=False)))
    date              A  B       C
    2024-01-02        -  -       -
    2024-01-03   -0.148  -   0.355
    2024-01-04    0.462  -  -0.692
    """


@operator(Axis.GROUP)
def cs_neutralize(x: Input, *exposures: Input, by: Key) -> Factor:
    """The residual of `x` in a regression on the exposures and on the categories of `by`: neutral to size and sector.

    Least squares over the symbols of the date, with an intercept for each category of the column `by`. Shorthand, by
    the theorem of Frisch, Waugh and Lovell: `x` and the exposures, where all are present, are demeaned within the
    category, and `cs_residual` without an intercept follows. Missing where the category is. To neutralise the
    categories alone, use `group_demean`.

    >>> import factorloom as fl
    >>> within = fl.cs_neutralize(fl.close, fl.cs_mean(fl.volume), by="sector")
    >>> print(fl.example().show(within))
    date           A    B     C
    2024-01-02   0.0  0.0     -
    2024-01-03   3.0  0.0  -3.0
    2024-01-04   2.5  0.0  -2.5

    Source: Frisch & Waugh (1933), Econometrica 1, 387-401; Lovell (1963), JASA 58, 993-1010.
    """
    is_out = is_missing(x)
    for exposure in exposures:
        is_out = is_out | is_missing(exposure)
    within = [group_demean(where(is_out, lit(float("nan")), each), by) for each in (x, *exposures)]
    return cs_residual(within[0], *within[1:], intercept=False)
