"""Tiles: stretches of rows small enough that what is computed on the way stays in the processor's cache.

A tile is a few symbols' whole history, or a few dates' cross-sections, never a part of either; but where all operators
are cell-wise, a long history is cut.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import GroupRuns, Index
from factorloom.engine.executor.native.kernel import has_kernel
from factorloom.engine.executor.native.transfer import cuts_of
from factorloom.engine.plan.plan import Orientation, Stage
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor

__all__ = ["BLOCK_ROWS", "Tiles", "blocks_of", "tile_rows", "tiles_of"]

TILE_ROWS = 16_384
"""Rows of a tile, unless a single symbol or date has more: 128 KiB a value."""

FORMULA_TILES = 2
"""A stage with an operator that has no kernel takes tiles so many times larger: each goes through the interpreter."""

BLOCK_ROWS = 8 * TILE_ROWS
"""Rows of a block, when results leave block by block."""


class Groups(NamedTuple):
    """The runs of each date and category, and the run with which each tile starts."""

    runs: GroupRuns
    cuts: Index


@dataclass(frozen=True)
class Tiles:
    """Stretches of runs, one after another.

    Attributes
    ----------
    bounds : array of int64
        The row where each tile starts, and where the last one ends.
    offsets, cuts : array of int64
        Where all runs start, and the run with which each tile starts.
    groups : mapping of str to Groups
        The groups of each category column.
    """

    bounds: Index
    offsets: Index
    cuts: Index
    groups: Mapping[str, Groups]

    def __len__(self) -> int:
        return self.bounds.size - 1

    @property
    def size(self) -> int:
        """The rows of the largest tile."""
        return int(np.diff(self.bounds).max(initial=0))

    @property
    def rows(self) -> slice:
        return slice(int(self.bounds[0]), int(self.bounds[-1]))

    def runs(self, column: str | None) -> tuple[Index, Index]:
        """Offsets and cuts of the runs, or of the groups of a column."""
        if column is None:
            return self.offsets, self.cuts
        return self.groups[column].runs.offsets, self.groups[column].cuts

    def part(self, first: int, last: int) -> Tiles:
        """Some of the tiles."""
        part = slice(first, last + 1)
        groups = {column: Groups(group.runs, group.cuts[part]) for column, group in self.groups.items()}
        return Tiles(self.bounds[part], self.offsets, self.cuts[part], groups)


def tile_rows(stage: Stage) -> int:
    """How many rows a tile of the stage has, unless a single symbol or date has more."""
    return TILE_ROWS if all(has_kernel(run.step) for run in stage.steps) else FORMULA_TILES * TILE_ROWS


def tiles_of(stage: Stage, bars: Bars) -> Tiles:
    """All rows in tiles."""
    offsets = _runs(stage, bars)
    cuts = cuts_of(offsets, tile_rows(stage))
    groups = {key: bars.by_group(key) for key in stage.keys}
    return Tiles(offsets[cuts], offsets, cuts, {key: Groups(runs, runs.dates[cuts]) for key, runs in groups.items()})


def _runs(stage: Stage, bars: Bars) -> Index:
    """Where the runs start that a tile must not cut: symbols, dates, or stretches of any kind."""
    if stage.orientation is Orientation.DATE:
        return bars.by_date
    is_cell_wise = all(isinstance(run.step, Factor) and run.step.operator.axis is Axis.CELL for run in stage.steps)
    if is_cell_wise and np.diff(bars.by_symbol).max(initial=0) > BLOCK_ROWS:
        return np.append(np.arange(0, bars.rows, tile_rows(stage)), bars.rows)
    return bars.by_symbol


def blocks_of(tiles: Tiles) -> list[Tiles]:
    """The tiles in blocks of about `BLOCK_ROWS` rows; at least one block."""
    cuts = cuts_of(tiles.bounds, BLOCK_ROWS).tolist() if len(tiles) else [0, 0]
    return [tiles.part(first, last) for first, last in itertools.pairwise(cuts)]
