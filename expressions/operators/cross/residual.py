"""Regressions on several exposures, across the symbols of a date or over the bars of a window: what they leave.

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
from factorloom.expressions.operators.cell.logic import is_missing, where
from factorloom.expressions.operators.cross.group import group_demean
from factorloom.expressions.operators.loop.window import Array, Pair, PairSamples, window_bars
from factorloom.expressions.parameter import Flag

__all__ = ["cs_neutralize", "cs_residual", "group_residual", "ts_residual"]

Indices: TypeAlias = npt.NDArray[np.int64]
Intercept: TypeAlias = Annotated[bool, Flag()]

LEFT = 1e-9
"""Less than this share of a column is nothing: the others explain it."""

TRUSTED = 1e-6
"""Products of a column of which more than this share is left by the others have digits enough."""

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
def _residual(x: Array, *exposures: Array, weight: Array, intercept: bool) -> Array:
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
        return pl.Series(_residual(first, *others, weight=last, intercept=intercept))

    columns = [column.alias(str(place)) for place, column in enumerate([x, *exposures, weight])]
    return pl.struct(columns).map_batches(section, return_dtype=pl.Float64)


@cs_residual.kernel
def _(x: Array, exposures: tuple[Array, ...], weight: Array, intercept: int, out: Array) -> None:
    members, rows = np.empty(x.size, np.int64), np.empty((len(exposures) + 2, x.size))
    out[:] = np.nan
    n = _joint_members(x, exposures, weight, 0, x.size, members)
    if n > len(exposures) + intercept:
        rest = _fit(x, exposures, weight, intercept, members[:n], rows[:, :n])
        for k in range(n):
            out[members[k]] = rest[k] / np.sqrt(weight[members[k]])


def _fit(x: Array, exposures: tuple[Array, ...], weight: Array, intercept: int, members: Indices, rows: Array) -> Array:
    """The row of weighted residuals of these members."""
    n, kept = members.size, 0
    root = np.empty(n)
    for k in range(n):
        root[k] = np.sqrt(weight[members[k]])
    if intercept:
        rows[0] = root / np.sqrt(_product(root, root))
        kept = 1
    for j in range(len(exposures)):
        size = _take_rest(exposures[j], members, root, intercept, rows, kept)
        if size > 0:
            rows[kept] /= size
            kept += 1
    if not _take_rest(x, members, root, intercept, rows, kept) > 0:
        rows[kept] = 0.0
    rest: Array = rows[kept]
    return rest


def _joint_members(
    x: Array, exposures: tuple[Array, ...], weight: Array, start: int, stop: int, members: Indices
) -> int:
    """The indices of the members from `start` to `stop` that take part, and their number."""
    n = 0
    for i in range(start, stop):
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


@operator(Axis.TIME, lookback=window_bars)
def ts_residual(x: Input, *exposures: Input, window: Pair, min_samples: PairSamples = None) -> Factor:
    """What is left of the current `x` after a least-squares regression on the exposures over the last `window` bars.

    `x - a - b1 * exposure1 - b2 * exposure2 ...` at the current bar, with the coefficients that make the sum of squares
    over the window smallest. Only bars where all are present count; missing where one is missing at the current bar,
    where fewer than `min_samples` bars count (default: `window`, at least 2), and where there are not more of them than
    coefficients. Exposures that are constant or explained by others are treated as in `cs_residual`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_residual(fl.close, fl.volume, window=3)))
    date             A      B  C
    2024-01-02       -      -  -
    2024-01-03       -      -  -
    2024-01-04   0.714  0.667  -
    """


@ts_residual.meaning
def _residual_now(x: Array, *exposures: Array, min_samples: int) -> float:
    there = ~np.isnan([x, *exposures]).any(axis=0)
    if there.sum() < min_samples:
        return np.nan
    rest = _residual(x, *exposures, weight=np.ones(x.size), intercept=True)
    return float(rest[-1])


@ts_residual.polars
def _(x: pl.Expr, *exposures: pl.Expr, window: int, min_samples: int) -> pl.Expr:
    def symbol(columns: pl.Series) -> pl.Series:
        rows = columns.struct.unnest().to_numpy()
        windows = [rows[max(0, end - window) : end].T for end in range(1, len(rows) + 1)]
        values = [_residual_now(*each, min_samples=min_samples) for each in windows]
        return pl.Series(values, dtype=pl.Float64)

    columns = [column.alias(str(place)) for place, column in enumerate([x, *exposures])]
    return pl.struct(columns).map_batches(symbol, return_dtype=pl.Float64)


@ts_residual.kernel
def _(x: Array, exposures: tuple[Array, ...], window: int, min_samples: int, out: Array) -> None:
    """By the block method of `block.py`, with the products of all columns; `x` is the last of them."""
    width, columns = min(window, x.size), len(exposures) + 1
    tail_n, tail_s, tail_q = np.zeros(width), np.zeros((width, columns)), np.zeros((width, columns, columns))
    bases = np.zeros((5, columns))
    first, last, gap, d, s = bases[0], bases[1], bases[2], bases[3], bases[4]
    q, total, scatter = np.zeros((columns, columns)), np.zeros(columns), np.zeros((columns, columns))
    members, rows, weight = np.empty(width, np.int64), np.empty((columns + 1, width)), np.ones(x.size)
    for start in range(0, x.size, width):
        stop = min(start + width, x.size)
        n, first[:], s[:], q[:] = 0.0, last, 0.0, 0.0
        for i in range(start, stop):
            k, out[i] = i - start, np.nan
            if not _apart(x, exposures, i, n == 0.0, first, d):
                continue
            n += 1.0
            _add_products(d, s, q)
            both = n + tail_n[k]
            if both < min_samples or both <= columns:
                continue
            for j in range(columns):
                gap[j] = last[j] - first[j]
            _merge(both, tail_n[k], tail_s[k], tail_q[k], gap, s, q, total, scatter)
            if _eliminate(scatter):
                out[i] = _rest_now(both, d, total, scatter, gap)
            else:
                found = _joint_members(x, exposures, weight, max(0, i - window + 1), i + 1, members)
                out[i] = _fit(x, exposures, weight, 1, members[:found], rows[:, :found])[found - 1]
        n, s[:], q[:] = 0.0, 0.0, 0.0
        for i in range(stop - 1, start, -1):
            if _apart(x, exposures, i, n == 0.0, last, d):
                n += 1.0
                _add_products(d, s, q)
            tail_n[i - start - 1], tail_s[i - start - 1], tail_q[i - start - 1] = n, s, q


def _apart(x: Array, exposures: tuple[Array, ...], i: int, is_first: bool, base: Array, d: Array) -> bool:
    """Fill how far the columns of a bar are from a member, which it becomes itself if it is the first; false where one
    is missing."""
    is_there = not np.isnan(x[i])
    for j in range(len(exposures)):
        is_there = is_there and not np.isnan(exposures[j][i])
    if is_there:
        for j in range(d.size):
            value = exposures[j][i] if j < len(exposures) else x[i]
            base[j] = value if is_first else base[j]
            d[j] = value - base[j]
    return is_there


def _add_products(d: Array, s: Array, q: Array) -> None:
    for j in range(d.size):
        s[j] += d[j]
        for k in range(j + 1):
            q[j, k] += d[j] * d[k]


def _merge(
    n: float, m: float, t: Array, u: Array, gap: Array, s: Array, q: Array, total: Array, scatter: Array
) -> None:
    """The sums of a head and a tail of `m` bars, and `n` times the products of deviations from the means."""
    for j in range(s.size):
        total[j] = s[j] + (t[j] + m * gap[j])
        for k in range(j + 1):
            product = q[j, k] + (u[j, k] + gap[j] * t[k] + gap[k] * (t[j] + m * gap[j]))
            scatter[j, k] = n * product - total[j] * total[k]


def _eliminate(scatter: Array) -> bool:
    """Cholesky's factors of the products, without roots, in their place; false where so little of a column is left that
    digits are lost, and the columns themselves must be looked at."""
    for j in range(scatter.shape[0]):
        whole = scatter[j, j]
        for k in range(j):
            for i in range(k):
                scatter[j, k] -= scatter[j, i] * scatter[k, i] * scatter[i, i]
            scatter[j, k] /= scatter[k, k]
        for k in range(j):
            scatter[j, j] -= scatter[j, k] ** 2 * scatter[k, k]
        if not TRUSTED * whole < scatter[j, j] < np.inf:
            return False
    return True


def _rest_now(n: float, d: Array, total: Array, factors: Array, rest: Array) -> float:
    """What the exposures leave of the last column at the current bar, and in `rest` what each leaves of the next."""
    for j in range(d.size):
        rest[j] = n * d[j] - total[j]
        for k in range(j):
            rest[j] -= factors[j, k] * rest[k]
    value: float = rest[d.size - 1] / n
    return value


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
