"""Which values tie: neighbours in order that differ by less than 2^-40 of their size.

Equal values that were computed in different ways, as covariances of ranks, often differ in their last digits. So every
operator that ranks takes values for equal that agree in 12 digits, and the rank does not depend on who computed them.
The gap between neighbours decides, not rounding: two values may agree in 15 digits, and yet be rounded apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.expressions.operators.loop.noise import NOISE

__all__ = ["differ", "tied", "tied_column"]

Array = npt.NDArray[np.float64]


def differ(low: float, high: float) -> bool:
    """Whether two values in ascending order do not tie, in a compiled loop."""
    return high - low > NOISE * abs(high)


def tied(x: Array) -> Array:
    """An array whose values that tie have become equal; NaN stays NaN."""
    order = np.argsort(x)
    ascending = x[order]
    starts = np.ones(x.size, bool)
    with np.errstate(over="ignore"):
        starts[1:] = ascending[1:] - ascending[:-1] > NOISE * np.abs(ascending[1:])
    values = np.empty(x.size)
    values[order] = ascending[np.maximum.accumulate(np.where(starts, np.arange(x.size), 0))]
    return np.where(np.isnan(x), np.nan, values)


def tied_column(x: pl.Expr) -> pl.Expr:
    """A column whose values that tie have become equal; null stays null."""
    ascending = x.sort(nulls_last=True)
    before = ascending.shift(1)
    starts = before.is_null() | (ascending - before > NOISE * ascending.abs())
    return pl.when(starts).then(ascending).forward_fill().gather(x.rank("ordinal") - 1)
