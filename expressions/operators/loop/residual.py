"""Least squares on several exposures: the residuals, in NumPy and as plain loops.

Exposures are made orthogonal one after the other (modified Gram-Schmidt, every pass done twice for accuracy), so that
constant and collinear ones are recognised and left out. With an intercept, a value of each column is subtracted from
it first, so that a high level costs no digits.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from factorloom.expressions.operators.loop.window import Array

__all__ = ["fit", "joint_members", "residuals"]

Indices: TypeAlias = npt.NDArray[np.int64]

LEFT = 1e-9
"""A column of which less than this share is left by the others is explained by them."""

ROUNDING = 2.0**-50
"""The share of a level that may be left by rounding when the level has been subtracted."""


def residuals(x: Array, *exposures: Array, weight: Array, intercept: bool) -> Array:
    """The residuals of the weighted regression of `x`, missing where a column is; the meaning of `cs_residual`."""
    complete = ~np.isnan([x, *exposures, weight]).any(axis=0) & (weight > 0)
    out = np.full(x.size, np.nan)
    if complete.sum() > len(exposures) + intercept:
        root = np.sqrt(weight[complete])
        basis = [root / np.linalg.norm(root)] if intercept else []
        for exposure in exposures:
            rest = _rest(exposure[complete], root, basis, intercept)
            basis += [rest / np.linalg.norm(rest)] if rest.any() else []
        out[complete] = _rest(x[complete], root, basis, intercept) / root
    return out


def _rest(x: Array, root: Array, basis: list[Array], intercept: bool) -> Array:
    """The weighted values less their projection on the basis; 0 where nothing is left but rounding."""
    base = x[0] if intercept else 0.0
    rest = weighted = (x - base) * root
    for direction in 2 * basis:
        rest = rest - (rest @ direction) * direction
    noise = LEFT * np.linalg.norm(weighted) + ROUNDING * abs(base) * np.linalg.norm(root)
    return rest if np.linalg.norm(rest) > noise else np.zeros(x.size)


def fit(x: Array, exposures: tuple[Array, ...], weight: Array, intercept: int, members: Indices, rows: Array) -> Array:
    """The weighted residuals of these members: a row of `rows`, which is filled with the orthogonal basis before it."""
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


def joint_members(
    x: Array, exposures: tuple[Array, ...], weight: Array, start: int, stop: int, members: Indices
) -> int:
    """Fill the indices of the members from `start` to `stop` that have all columns and a weight; return how many."""
    n = 0
    for i in range(start, stop):
        is_complete = not np.isnan(x[i]) and weight[i] > 0
        for j in range(len(exposures)):
            is_complete = is_complete and not np.isnan(exposures[j][i])
        members[n] = i
        n += is_complete
    return n


def _take_rest(x: Array, members: Indices, root: Array, intercept: int, rows: Array, kept: int) -> float:
    """Fill the row after the kept ones with the weighted values less their projection on those, and return its norm: 0
    where nothing is left but rounding."""
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
    """The sum of products: four sums side by side, because an addition waits for the result of the one before it."""
    fours = x.size - x.size % 4
    a = b = c = d = 0.0
    for i in range(0, fours, 4):
        a += x[i] * y[i]
        b += x[i + 1] * y[i + 1]
        c += x[i + 2] * y[i + 2]
        d += x[i + 3] * y[i + 3]
    for i in range(fours, x.size):
        a += x[i] * y[i]
    return (a + b) + (c + d)
