"""What leaves a plan: columns in Arrow's own layout, so that a frame uses them where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from factorloom.engine.layout import Index
from factorloom.engine.loop import Bits, seal, seal_edges
from factorloom.engine.memory import borrow

__all__ = ["Column"]


class Column:
    """Values of some rows in panel order, and a bit for every one that is present.

    Attributes
    ----------
    start
        The row of the panel that comes first.
    values
        Float64 or Float32, NaN where missing.
    """

    def __init__(self, rows: slice, dtype: str) -> None:
        self.start = rows.start
        size = rows.stop - rows.start
        self.values: npt.NDArray[Any] = borrow(size, dtype)
        self._bits: Bits = np.zeros(-(-size // 8), np.uint8)
        self._missing: list[int] = []

    def store(self, values: npt.NDArray[np.float64], first: int) -> None:
        """Take the values of some rows, unless they were computed here, and mark those that are present."""
        place = first - self.start
        target = self.values[place : place + values.size]
        if not np.may_share_memory(target, values):
            target[:] = values
        self._missing.append(seal(target, place, self._bits))

    def close(self, starts: Index) -> None:
        """Mark what lies where two stretches of rows meet, once all are stored."""
        seal_edges(self.values, starts - self.start, self._bits)

    def series(self, name: str) -> pl.Series:
        """The values as a series on the same memory, missing as null."""
        missing = sum(self._missing)
        buffers = [pa.py_buffer(self._bits) if missing else None, pa.py_buffer(self.values)]
        array = pa.Array.from_buffers(pa.from_numpy_dtype(self.values.dtype), self.values.size, buffers, missing)
        return pl.Series(name, array)
