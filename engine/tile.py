"""The default executor: a stage's whole program on one tile after another, tiles on threads.

A tile is a few symbols' whole history, or a few dates' cross-sections, small enough that what is computed on the way
stays in the processor's cache. Columns and results are used where they lie. Values that go from symbols to dates, or
back, lie in the order of dates between stages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import polars as pl

from factorloom.engine.bars import Bars
from factorloom.engine.kernel import count, prepare
from factorloom.engine.layout import Array
from factorloom.engine.memory import borrow
from factorloom.engine.plan import Plan, Stage
from factorloom.engine.processor import processors
from factorloom.engine.program import Program, Scratch, Tile
from factorloom.engine.progress import progress
from factorloom.engine.result import Column
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL

__all__ = ["BLOCK_ROWS", "TILE_ROWS", "run", "run_blocks"]

TILE_ROWS = 16_384
"""Rows of a tile, unless a single symbol or date has more: 128 KiB a value."""

BLOCK_ROWS = 8 * TILE_ROWS
"""Rows of a block, when results leave block by block."""


def run(plan: Plan, bars: Bars, dtype: str = "float64") -> list[pl.Series]:
    """The wanted factors of a plan, in panel order."""
    work = _Work(plan, bars, dtype)
    for number in range(len(plan.stages)):
        work.run(number)
    return [work.results[factor].series(name) for name, factor in plan.aims.items()]


def run_blocks(plan: Plan, bars: Bars, dtype: str = "float64") -> Iterator[tuple[slice, list[pl.Series]]]:
    """The wanted factors of a plan that gives all results in its last stage, some symbols at a time."""
    work = _Work(plan, bars, dtype)
    last = len(plan.stages) - 1
    for number in range(last):
        work.run(number)
    for tiles in _blocks(work.tiles(plan.stages[last])):
        rows = slice(tiles[0].rows.start, tiles[-1].rows.stop)
        work.run(last, tiles, rows)
        yield rows, [work.results[factor].series(name) for name, factor in plan.aims.items()]


def _blocks(tiles: Sequence[Tile]) -> Iterator[list[Tile]]:
    """Neighbouring tiles with about `BLOCK_ROWS` rows."""
    block: list[Tile] = []
    for tile in tiles:
        if block and tile.rows.stop - block[0].rows.start > BLOCK_ROWS:
            yield block
            block = []
        block.append(tile)
    if block:
        yield block


class _Work:
    """One run of a plan: what lies between its stages, and its results."""

    def __init__(self, plan: Plan, bars: Bars, dtype: str) -> None:
        prepare(plan)
        self.plan, self.bars, self.dtype = plan, bars, dtype
        self.kept: dict[Factor, Array] = {}
        self.results: dict[Factor, Column] = {}

    def run(self, number: int, tiles: Sequence[Tile] | None = None, rows: slice | None = None) -> None:
        """Run a stage, on some tiles only where they are given with the rows that they cover."""
        stage = self.plan.stages[number]
        tiles = self.tiles(stage) if tiles is None else tiles
        rows = slice(0, self.bars.rows) if rows is None else rows
        live = self.plan.live(number)
        self.kept = {node: values for node, values in self.kept.items() if node in live}
        self.kept |= {node: borrow(self.bars.rows, "float64") for node in stage.keeps}
        self.results |= {node: Column(rows, self.dtype, len(tiles)) for node in stage.results}
        self._run_tiles(self.program(stage), tiles, stage.axis)
        starts = np.array([*(tile.rows.start for tile in tiles), rows.stop])
        for node in stage.results:
            self.results[node].close(starts)
        count(len(tiles) * len(stage.steps))

    def _run_tiles(self, program: Program, tiles: Sequence[Tile], axis: Axis) -> None:
        size = max((tile.rows.stop - tile.rows.start for tile in tiles), default=0)
        spare: SimpleQueue[Scratch] = SimpleQueue()
        for _ in range(processors()):
            spare.put(program.scratch(size))

        def run_tile(tile: Tile, number: int) -> None:
            scratch = spare.get()
            try:
                with np.errstate(all="ignore"):
                    program.run(tile, number, scratch)
            finally:
                spare.put(scratch)

        with progress(f"{axis.value} stage", len(tiles)) as advance, ThreadPoolExecutor(processors()) as pool:
            for _ in pool.map(run_tile, tiles, range(len(tiles))):
                advance()

    def program(self, stage: Stage) -> Program:
        """A stage's steps, with what each reads where it lies, and what becomes of each value."""
        by_date = stage.axis is Axis.CROSS
        program = Program(self.bars.places if self.plan.turned else np.empty(0, np.int64))
        for node in stage.reads:
            if node.operator is COL and not by_date:
                program.bind(node, self.bars.array(str(node.parameters[0])))
            elif node in self.plan.turned and not by_date:
                program.turn_in(node, self.kept[node])
            else:
                program.bind(node, self.kept[node])
        keeps, results, made = dict.fromkeys(stage.keeps), dict.fromkeys(stage.results), set(stage.nodes)
        for node in stage.nodes:
            if node in keeps and (by_date or node not in self.plan.turned):
                program.bind(node, self.kept[node])
            elif node in results and self.dtype == "float64":
                program.bind(node, self.results[node].values, self.results[node].start)
        for step in (*stage.steps, *dict.fromkeys(node for node in (*keeps, *results) if node not in made)):
            if not isinstance(step, Factor) or step in made:
                program.add(step)
            if isinstance(step, Factor) and step in keeps and step in self.plan.turned and not by_date:
                program.turn_out(step, self.kept[step])
            if isinstance(step, Factor) and step in results:
                program.give(step, self.results[step])
        program.finish()
        return program

    def tiles(self, stage: Stage) -> list[Tile]:
        """The runs in stretches of about `TILE_ROWS` rows, never through a run."""
        by_date = stage.axis is Axis.CROSS
        offsets = self.bars.by_date if by_date else self.bars.by_symbol
        keys = {str(node.inputs[-1].parameters[0]) for node in stage.nodes if node.operator.axis is Axis.GROUP}
        groups = {key: self.bars.by_group(key) for key in keys}
        tiles: list[Tile] = []
        first, last_run = 0, offsets.size - 1
        while first < last_run:
            last = int(np.searchsorted(offsets, offsets[first] + TILE_ROWS, side="right")) - 1
            last = min(max(last, first + 1), last_run)
            rows = slice(int(offsets[first]), int(offsets[last]))
            cut = {key: group.tile(first, last, rows.start) for key, group in groups.items()}
            tiles.append(Tile(rows, (offsets, first, last), cut))
            first = last
        return tiles
