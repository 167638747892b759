"""A regression on several exposures over the last bars of a symbol: its residual at the current bar."""

from __future__ import annotations

import numpy as np
import polars as pl

from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor, Input
from factorloom.expressions.operator import operator
from factorloom.expressions.operators.loop.residual import fit, joint_members, residuals
from factorloom.expressions.operators.loop.window import Array, Pair, PairSamples, window_bars

__all__ = ["ts_residual"]

TRUSTED = 1e-6
"""The share of a column's sum of squares that the others must leave for sums of products to have digits enough."""


@operator(Axis.TIME, lookback=window_bars)
def ts_residual(x: Input, *exposures: Input, window: Pair, min_samples: PairSamples = None) -> Factor:
    """The residual of the current `x` in a least-squares regression on the exposures over the last `window` bars.

    `x - a - b1 * exposure1 - b2 * exposure2 ...` at the current bar, with the coefficients that minimise the sum of
    squares over the window. Only bars where all are present count; missing where one is missing at the current bar,
    where fewer than `min_samples` bars count (default: `window`, at least 2), and where there are no more of them than
    coefficients. Exposures that are constant or collinear are treated as in `cs_residual`.

    >>> import factorloom as fl
    >>> print(fl.example().show(fl.ts_residual(fl.close, fl.volume, window=3)))
    date             A      B  C
    2024-01-02       -      -  -
    2024-01-03       -      -  -
    2024-01-04   0.714  0.667  -
    """


@ts_residual.meaning
def _residual_now(x: Array, *exposures: Array, min_samples: int) -> float:
    complete = ~np.isnan([x, *exposures]).any(axis=0)
    if complete.sum() < min_samples:
        return np.nan
    return float(residuals(x, *exposures, weight=np.ones(x.size), intercept=True)[-1])


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
            if not _deviations(x, exposures, i, n == 0.0, first, d):
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
                out[i] = _residual_of(both, d, total, scatter, gap)
            else:
                m = joint_members(x, exposures, weight, max(0, i - window + 1), i + 1, members)
                out[i] = fit(x, exposures, weight, 1, members[:m], rows[:, :m])[m - 1]
        n, s[:], q[:] = 0.0, 0.0, 0.0
        for i in range(stop - 1, start, -1):
            if _deviations(x, exposures, i, n == 0.0, last, d):
                n += 1.0
                _add_products(d, s, q)
            tail_n[i - start - 1], tail_s[i - start - 1], tail_q[i - start - 1] = n, s, q


def _deviations(x: Array, exposures: tuple[Array, ...], i: int, is_first: bool, base: Array, d: Array) -> bool:
    """Fill `d` with the columns of bar `i` less their base, which is the first complete bar; false where one is
    missing."""
    is_complete = not np.isnan(x[i])
    for j in range(len(exposures)):
        is_complete = is_complete and not np.isnan(exposures[j][i])
    if is_complete:
        for j in range(d.size):
            value = exposures[j][i] if j < len(exposures) else x[i]
            base[j] = value if is_first else base[j]
            d[j] = value - base[j]
    return is_complete


def _add_products(d: Array, s: Array, q: Array) -> None:
    for j in range(d.size):
        s[j] += d[j]
        for k in range(j + 1):
            q[j, k] += d[j] * d[k]


def _merge(
    n: float, m: float, t: Array, u: Array, gap: Array, s: Array, q: Array, total: Array, scatter: Array
) -> None:
    """The sums over a head and a tail of `m` bars, and `n` times the products of deviations from the means."""
    for j in range(s.size):
        total[j] = s[j] + (t[j] + m * gap[j])
        for k in range(j + 1):
            product = q[j, k] + (u[j, k] + gap[j] * t[k] + gap[k] * (t[j] + m * gap[j]))
            scatter[j, k] = n * product - total[j] * total[k]


def _eliminate(scatter: Array) -> bool:
    """The factors `L D L'` of the matrix of products, in its place (Cholesky without square roots); false where so
    little of a column is left by those before it that digits are lost, and the columns themselves must be used."""
    for j in range(scatter.shape[0]):
        total = scatter[j, j]
        for k in range(j):
            for i in range(k):
                scatter[j, k] -= scatter[j, i] * scatter[k, i] * scatter[i, i]
            scatter[j, k] /= scatter[k, k]
        for k in range(j):
            scatter[j, j] -= scatter[j, k] ** 2 * scatter[k, k]
        if not TRUSTED * total < scatter[j, j] < np.inf:
            return False
    return True


def _residual_of(n: float, d: Array, total: Array, factors: Array, rest: Array) -> float:
    """The residual of the last column at the current bar; `rest` is filled with that of each column on those before."""
    for j in range(d.size):
        rest[j] = n * d[j] - total[j]
        for k in range(j):
            rest[j] -= factors[j, k] * rest[k]
    value: float = rest[d.size - 1] / n
    return value
