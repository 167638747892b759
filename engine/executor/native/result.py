"""Where values are written: those that wait between stages, and outputs in Arrow's own layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.executor.native.tile import Tiles
from factorloom.engine.executor.native.transfer import Bits, seal_edges
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.factor import Factor

__all__ = ["Column", "Values"]


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

    def series(self, name: str, starts: Index) -> pl.Series:
        """The values as a series on the same memory, missing as null, once all tiles have run; they start here."""
        seal_edges(self.values, starts - self.start, self.bits)
        missing = int(self.missing.sum())
        buffers = [pa.py_buffer(self.bits) if missing else None, pa.py_buffer(self.values)]
        array = pa.Array.from_buffers(pa.from_numpy_dtype(self.values.dtype), self.values.size, buffers, missing)
        return pl.Series(name, array)


class Values:
    """The arrays of one run of a plan.

    Attributes
    ----------
    kept : dict of Factor to array of float64
        What waits between stages, all rows of each.
    columns : dict of Factor to Column
        The outputs.
    """

    def __init__(self, plan: Plan, rows: int, observer: Observer) -> None:
        self.kept: dict[Factor, Array] = {}
        self.columns: dict[Factor, Column] = {}
        self._plan, self._rows, self._observer = plan, rows, observer
        self._tiles: dict[Factor, Tiles] = {}
        self._size = 0

    def prepare(self, stage: Stage, tiles: Tiles) -> None:
        """Let go of what nobody reads any more, and make room for what the stage writes on these tiles."""
        waiting = set(stage.waiting)
        self.kept = {node: array for node, array in self.kept.items() if node in waiting}
        self.kept |= {node: borrow(self._rows, "float64") for node in stage.waiting if node not in self.kept}
        self.columns |= {node: Column(tiles.rows, self._plan.dtype, len(tiles)) for node in stage.emits}
        self._tiles |= dict.fromkeys(stage.emits, tiles)
        before, self._size = self._size, sum(x.nbytes for x in self.kept.values())
        self._size += sum(column.values.nbytes for column in self.columns.values())
        self._observer.hold(self._size - before)

    def block(self) -> Block:
        """The outputs under their names, once all stages have run."""
        named = self._plan.outputs.items()
        rows = self._tiles[next(iter(self._plan.outputs.values()))].rows
        return Block(rows, [self.columns[node].series(name, self._tiles[node].bounds) for name, node in named])
