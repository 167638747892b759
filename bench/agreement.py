"""Whether two engines give the same values."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from factorloom.bench.workload import Workload

__all__ = ["COMPARISON", "TOLERANCE", "Agreement", "compare", "last_bars"]

COMPARISON, LAST = Workload(symbols=64, bars=600, ragged=False), 100
"""Values are compared on the last bars of this workload. Engines treat missing bars and short windows differently, so
these bars have neither.
"""

TOLERANCE = 1e-6
"""Larger than the rounding errors of running sums in other engines, smaller than a difference in definition."""


class Agreement(msgspec.Struct, frozen=True):
    """How well two columns agree.

    Attributes
    ----------
    difference
        The largest difference between two values, relative to the largest value of the column; None if no row has a
        value in both columns.
    same_missing
        The fraction of rows that have a value in both columns or in neither.
    """

    difference: float | None
    same_missing: float

    @property
    def equal(self) -> bool:
        """Whether no value differs by more than `TOLERANCE`, or both columns are missing everywhere."""
        return self.same_missing == 1 if self.difference is None else self.difference <= TOLERANCE


def compare(ours: pl.Series, theirs: pl.Series) -> Agreement:
    """Compare a column of ours with the same column of another engine, row by row.

    >>> compare(pl.Series([None, 1.0, 2.0]), pl.Series([0.5, 1.0, 2.0]))
    Agreement(difference=0.0, same_missing=0.6666666666666666)
    """
    a, b = (column.cast(pl.Float64).to_numpy() for column in (ours, theirs))
    both = np.isfinite(a) & np.isfinite(b)
    same_missing = float((np.isfinite(a) == np.isfinite(b)).mean())
    if not both.any():
        return Agreement(None, same_missing)
    scale = float(np.abs(a[both]).max()) or 1.0
    return Agreement(float(np.abs(a[both] - b[both]).max()) / scale, same_missing)


def last_bars(values: pl.DataFrame) -> pl.DataFrame:
    """The rows on which values are compared, by symbol and date."""
    return values.sort("symbol", "date").group_by("symbol", maintain_order=True).tail(LAST)
