"""Whether two engines give the same numbers."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from factorloom.bench.market import Market

__all__ = ["CHECKED", "TOLERANCE", "Agreement", "compare", "latest"]

CHECKED, LATEST = Market(symbols=64, bars=600, ragged=False), 100
"""Where values are compared: engines differ in what they do about missing bars and short windows, so there are none in
the latest bars of this market.
"""

TOLERANCE = 1e-6
"""Peers keep running sums that lose digits; a definition that differs is further off than this."""


class Agreement(msgspec.Struct, frozen=True):
    """How far one column is from another.

    Attributes
    ----------
    difference
        The largest difference where both have a value, relative to the largest value of the column; nothing where
        they never do.
    missing
        The share of rows in which both have a value, or neither.
    """

    difference: float | None
    missing: float

    @property
    def equal(self) -> bool:
        """No value differs; or there is none, on either side."""
        return self.missing == 1 if self.difference is None else self.difference <= TOLERANCE


def compare(ours: pl.Series, theirs: pl.Series) -> Agreement:
    """Our column beside a peer's, in the same order.

    >>> compare(pl.Series([None, 1.0, 2.0]), pl.Series([0.5, 1.0, 2.0]))
    Agreement(difference=0.0, missing=0.6666666666666666)
    """
    a, b = (column.cast(pl.Float64).to_numpy() for column in (ours, theirs))
    both = np.isfinite(a) & np.isfinite(b)
    missing = float((np.isfinite(a) == np.isfinite(b)).mean())
    if not both.any():
        return Agreement(None, missing)
    scale = float(np.abs(a[both]).max()) or 1.0
    return Agreement(float(np.abs(a[both] - b[both]).max()) / scale, missing)


def latest(values: pl.DataFrame) -> pl.DataFrame:
    """The bars on which values are compared, in order."""
    return values.sort("symbol", "date").group_by("symbol", maintain_order=True).tail(LATEST)
