"""What leaves a plan: columns in Arrow's own layout, so that a frame uses them where they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from factorloom.engine.bars.layout import Index
from factorloom.engine.executor.native.transfer import Bits, seal_edges
from factorloom.engine.runtime.memory import borrow

__all__ = ["Column"]


class Column:
    """Values of some rows in panel order, and a bit for every one that is present.

    Attributes
    ----------
    start
        The row of the panel that comes first.
    values
        Float64 or Float32, NaN where missing.
    bits
        One for every value, the first in the lowest of a byte; 1 where it is present.
    missing
        How many values are missing, by tile.
    """

    def __init__(self, rows: slice, dtype: str, tiles: int) -> None:
        self.start = rows.start
        size = rows.stop - rows.start
        self.values: npt.NDArray[Any] = borrow(size, dtype)
        self.bits: Bits = np.zeros(-(-size // 8), np.uint8)
        self.missing: Index = np.zeros(tiles, np.int64)

    def close(self, starts: Index) -> None:
        """Mark what lies where two tiles meet, once all have run."""
        seal_edges(self.values, starts - self.start, self.bits)

    def series(self, name: str) -> pl.Series:
        """The values as a series on the same memory, missing as null."""
        missing = int(self.missing.sum())
        buffers = [pa.py_buffer(self.bits) if missing else None, pa.py_buffer(self.values)]
        array = pa.Array.from_buffers(pa.from_numpy_dtype(self.values.dtype), self.values.size, buffers, missing)
        return pl.Series(name, array)
