"""Which values tie: those that agree in their first 41 significant bits, 12 digits.

Equal values that were computed in different ways, as covariances of ranks, often differ in their last digits. So every
operator that ranks compares rounded values, and the rank does not depend on who computed them. Magnitudes below 2^-1000
count as 0, and those above 2^1000 as 2^1000.

Values are rounded by Veltkamp's splitting, which is plain arithmetic, so that NumPy, Polars and compiled code agree in
every bit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["PLACE_BITS", "rounded", "rounded_column", "rounded_values"]

Array = npt.NDArray[np.float64]

PLACE_BITS = 12
"""Rounded values have so many zero bits at the end."""

SPLIT = 2.0**PLACE_BITS + 1
LARGE = 2.0**1000
SMALL = 2.0**-1000


def rounded(x: float) -> float:
    """A value as it is compared, in a compiled loop; NaN for NaN."""
    x = x if x < LARGE else LARGE if x >= LARGE else x
    x = x if x > -LARGE else -LARGE if x <= -LARGE else x
    x = 0.0 if abs(x) < SMALL else x
    c = x * SPLIT
    return c - (c - x)


def rounded_values(x: Array) -> Array:
    """An array as it is compared; NaN stays NaN."""
    x = np.clip(x, -LARGE, LARGE)
    x = np.where(np.abs(x) < SMALL, 0.0, x)
    c = x * SPLIT
    values: Array = c - (c - x)
    return values


def rounded_column(x: pl.Expr) -> pl.Expr:
    """A column as it is compared; null stays null."""
    x = x.clip(-LARGE, LARGE)
    x = pl.when(x.abs() < SMALL).then(0.0).otherwise(x)
    c = x * SPLIT
    return c - (c - x)
