"""Where values are written: those that wait between stages, and outputs in Arrow's own layout."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Index, series_on
from factorloom.engine.executor.native.spill import SpillFile
from factorloom.engine.executor.native.tile import Tiles, rank_type
from factorloom.engine.executor.native.transfer import Bits, seal_edges
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.factor import Factor

__all__ = ["Column", "Kept", "Stretch", "Values"]


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
        return series_on(name, self.values, self.bits if missing else None, missing)


class Kept(NamedTuple):
    """A value that waits between stages, all rows of it: float64, or the codes of ranks (see `rank.py`)."""

    values: npt.NDArray[Any]
    doubled: Array | None = None
    """Of ranks only: twice the number of present members of each date."""


class Stretch(NamedTuple):
    """An output on some rows, on its way to or from a file; `start` is the first of them."""

    values: Array
    start: int


class Values:
    """The arrays of one run of a plan.

    Attributes
    ----------
    kept : dict of Factor to Kept
        What waits between stages.
    columns : dict of Factor to Column
        The outputs.
    stretches : dict of Factor to Stretch
        What the stage writes to a file or reads back.
    """

    def __init__(self, plan: Plan, bars: Bars, observer: Observer) -> None:
        self.kept: dict[Factor, Kept] = {}
        self.columns: dict[Factor, Column] = {}
        self.stretches: dict[Factor, Stretch] = {}
        self._plan, self._bars, self._observer = plan, bars, observer
        self._file = SpillFile(plan.on_disk, bars.rows) if plan.on_disk else None
        self._tiles: dict[Factor, Tiles] = {}
        self._size = 0

    def prepare(self, stage: Stage, tiles: Tiles) -> None:
        """Let go of what nobody reads any more, and make room for what the stage writes on these tiles."""
        needed = set(stage.waiting)
        self.kept = {node: kept for node, kept in self.kept.items() if node in needed}
        self.kept |= {node: self._keep(node) for node in stage.waiting if node not in self.kept}
        self.columns |= {node: Column(tiles.rows, self._plan.dtype, len(tiles)) for node in stage.emits}
        self._tiles |= dict.fromkeys(stage.emits, tiles)
        start, size = tiles.rows.start, tiles.rows.stop - tiles.rows.start
        self.stretches = {node: Stretch(np.empty(size), start) for node in (*stage.writes, *stage.fetches)}
        for node in stage.fetches:
            self._spill.read(node, *self.stretches[node])
        before, self._size = self._size, sum(kept.values.nbytes for kept in self.kept.values())
        self._size += sum(column.values.nbytes for column in self.columns.values())
        self._observer.hold(self._size - before)

    def finish(self, stage: Stage) -> None:
        """Write to the file what the stage has left on these tiles."""
        for node in stage.writes:
            self._spill.write(node, *self.stretches[node])

    def close(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()

    def block(self) -> Block:
        """The outputs under their names, once all stages have run."""
        named = self._plan.outputs.items()
        rows = self._tiles[next(iter(self._plan.outputs.values()))].rows
        return Block(rows, [self.columns[node].series(name, self._tiles[node].bounds) for name, node in named])

    def _keep(self, node: Factor) -> Kept:
        if not node.operator.is_rank(node.parameters):
            return Kept(borrow(self._bars.rows, "float64"))
        return Kept(borrow(self._bars.rows, rank_type(self._bars)), np.empty(self._bars.by_date.size - 1))

    @property
    def _spill(self) -> SpillFile:
        assert self._file is not None, "a plan whose outputs do not wait in a file"
        return self._file
