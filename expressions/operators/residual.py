"""Regressions across the symbols of one date: what is left of a factor when its exposures are taken out.

Exposures are made orthogonal one after the other (modified Gram-Schmidt, every pass done twice), so that constant and
collinear ones are seen and left out. With an intercept everything is first taken around a member of the section, so
that a high level costs no digits.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input, Key
from factorloom.expressions.operator import grouped, lit, operator
from factorloom.expressions.operators.group import group_demean
from factorloom.expressions.operators.logic import is_missing, where
from factorloom.expressions.parameter import Flag

__all__ = ["cs_neutralize", "cs_residual", "group_residual"]

Array: TypeAlias = npt.NDArray[np.float64]
Indices: TypeAlias = npt.NDArray[np.int64]
Intercept: TypeAlias = Annotated[bool, Flag()]

LEFT = 1e-9
"""Less than this share of a column is nothing: the others explain it."""

ROUNDING = 2.0**-50
"""What rounding leaves of a level that has been taken away."""


@operator(Axis.CROSS)
def cs_residual(x: Input, *exposures: Input, weight: Input = 1.0, intercept: Intercept = True) -> Factor:
    """What is left of `x` after a least-squares regression on the exposures over the symbols of the date.

    `x - a - b1 * exposure1 - b2 * exposure2 ...`, with the coefficients that make the sum of
    `weight * residual ** 2` smallest; `intercept=False` leaves out `a`. A member without `x`, without an exposure, or
    without a weight above 0 takes no part, and has no residual. Missing where there are not more members than
    coefficients. An exposure that is constant (with an intercept) or explained by those before it changes nothing, and
    an `x` that is fully explained has residual 0; fully means to 1e-9 of its size, or to the rounding of its level.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.cs_residual(fl.close, fl.volume)))
    date              A       B       C
    2024-01-02        -       -       -
    2024-01-03   -0.083   0.036   0.047
    2024-01-04     1.29  -0.242  -1.048
    """


@cs_residual.meaning
def _(x: Array, *exposures: Array, weight: Array, intercept: bool) -> Array:
    there = ~np.isnan([x, *exposures, weight]).any(axis=0) & (weight > 0)
    out = np.full(x.size, np.nan)
    if there.sum() > len(exposures) + intercept:
        root = np.sqrt(weight[there])
        basis = [root / np.linalg.norm(root)] if intercept else []
        for exposure in exposures:
            rest = _rest(exposure[there], root, basis, intercept)
            basis += [rest / np.linalg.norm(rest)] if rest.any() else []
        out[there] = _rest(x[there], root, basis, intercept) / root
    return out


def _rest(x: Array, root: Array, basis: list[Array], intercept: bool) -> Array:
    """The weighted values less their part along the basis; 0 where nothing is left but rounding."""
    base = x[0] if intercept else 0.0
    rest = whole = (x - base) * root
    for direction in 2 * basis:
        rest = rest - (rest @ direction) * direction
    noise = LEFT * np.linalg.norm(whole) + ROUNDING * abs(base) * np.linalg.norm(root)
    return rest if np.linalg.norm(rest) > noise else np.zeros(x.size)


@cs_residual.polars
def _(x: pl.Expr, *exposures: pl.Expr, weight: pl.Expr, intercept: bool) -> pl.Expr:
    def section(columns: pl.Series) -> pl.Series:
        first, *others, last = columns.struct.unnest().to_numpy().T
        assert cs_residual.meaning_form
        return pl.Series(cs_residual.meaning_form(first, *others, weight=last, intercept=intercept))

    columns = [column.alias(str(place)) for place, column in enumerate([x, *exposures, weight])]
    return pl.struct(columns).map_batches(section, return_dtype=pl.Float64)


@cs_residual.kernel
def _(x: Array, exposures: tuple[Array, ...], weight: Array, intercept: int, out: Array) -> None:
    members = np.empty(x.size, np.int64)
    n = _joint_members(x, exposures, weight, members)
    out[:] = np.nan
    if n <= len(exposures) + intercept:
        return
    members = members[:n]
    root, rows = np.empty(n), np.empty((len(exposures) + 2, n))
    for k in range(n):
        root[k] = np.sqrt(weight[members[k]])
    kept = 0
    if intercept:
        rows[0] = root / np.sqrt(_product(root, root))
        kept = 1
    for j in range(len(exposures)):
        size = _take_rest(exposures[j], members, root, intercept, rows, kept)
        if size > 0:
            rows[kept] /= size
            kept += 1
    size = _take_rest(x, members, root, intercept, rows, kept)
    for k in range(n):
        out[members[k]] = rows[kept, k] / root[k] if size > 0 else 0.0


def _joint_members(x: Array, exposures: tuple[Array, ...], weight: Array, members: Indices) -> int:
    """The indices of the members that take part, and their number."""
    n = 0
    for i in range(x.size):
        is_there = not np.isnan(x[i]) and weight[i] > 0
        for j in range(len(exposures)):
            is_there = is_there and not np.isnan(exposures[j][i])
        members[n] = i
        n += is_there
    return n


def _take_rest(x: Array, members: Indices, root: Array, intercept: int, rows: Array, kept: int) -> float:
    """Fill the row after the kept ones with the weighted values less their part along those, and give its norm; 0 where
    nothing is left but rounding."""
    base, row = x[members[0]] if intercept else 0.0, rows[kept]
    for k in range(row.size):
        row[k] = (x[members[k]] - base) * root[k]
    noise = LEFT * np.sqrt(_product(row, row)) + ROUNDING * abs(base) * np.sqrt(_product(root, root))
    for place in range(2 * kept):
        direction = rows[place % kept]
        along = _product(row, direction)
        for k in range(row.size):
            row[k] -= along * direction[k]
    size: float = np.sqrt(_product(row, row))
    return size if size > noise else 0.0


def _product(x: Array, y: Array) -> float:
    """The sum of products: four sums side by side, because one addition waits for the one before it."""
    whole = x.size - x.size % 4
    a = b = c = d = 0.0
    for i in range(0, whole, 4):
        a += x[i] * y[i]
        b += x[i + 1] * y[i + 1]
        c += x[i + 2] * y[i + 2]
        d += x[i + 3] * y[i + 3]
    for i in range(whole, x.size):
        a += x[i] * y[i]
    return (a + b) + (c + d)


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
    """What is left of `x` after a least-squares regression on the exposures, with an intercept for each category of
    the column `by`, over the symbols of the date: neutral to sector and size at once.

    Shorthand, by the theorem of Frisch, Waugh and Lovell: `x` and the exposures, where all are present, are demeaned
    within the category, and `cs_residual` without an intercept follows. Where the category is missing the value is
    missing. For the categories alone take `group_demean`.

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
