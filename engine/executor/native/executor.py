"""The default executor: a stage's whole program on one tile after another, tiles on threads.

A tile is a few symbols' whole history, or a few dates' cross-sections, small enough that what is computed on the way
stays in the processor's cache. Columns and results are used where they lie. Values that go from symbols to dates, or
back, lie in the order of dates between stages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array, Tiles
from factorloom.engine.executor.native.kernel import count, has_kernel, prepare
from factorloom.engine.executor.native.program import Program, Scratch
from factorloom.engine.executor.native.result import Column
from factorloom.engine.executor.native.transfer import cuts_of
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.progress import progress
from factorloom.engine.runtime.thread import processors
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL

__all__ = ["BLOCK_ROWS", "run", "run_blocks", "tile_rows"]

TILE_ROWS = 16_384
"""Rows of a tile, unless a single symbol or date has more: 128 KiB a value."""

FORMULA_TILES = 2
"""A stage with an operator that has no kernel takes tiles so many times larger: each goes through the interpreter."""

BLOCK_ROWS = 8 * TILE_ROWS
"""Rows of a block, when results leave block by block."""


CHUNKS = 16
"""Parts of a stage for each thread: few, so that little time goes into handing them out, but more than one, so that no
thread waits long for the last.
"""


def tile_rows(stage: Stage) -> int:
    """How many rows a tile of the stage has, unless a single symbol or date has more."""
    return TILE_ROWS if all(map(has_kernel, stage.steps)) else FORMULA_TILES * TILE_ROWS


def run(plan: Plan, bars: Bars, dtype: str = "float64") -> list[pl.Series]:
    """The wanted factors of a plan, in panel order."""
    work = _Work(plan, bars, dtype)
    for number, stage in enumerate(plan.stages):
        work.run(number, work.tiles(stage))
    return work.series()


def run_blocks(plan: Plan, bars: Bars, dtype: str = "float64") -> Iterator[tuple[slice, list[pl.Series]]]:
    """The wanted factors of a plan that gives all results in its last stage, some symbols at a time; at least once."""
    work = _Work(plan, bars, dtype)
    *before, last = plan.stages
    for number, stage in enumerate(before):
        work.run(number, work.tiles(stage))
    tiles = work.tiles(last)
    cuts = cuts_of(tiles.bounds, BLOCK_ROWS).tolist() if len(tiles) else [0, 0]
    for block in itertools.starmap(tiles.part, itertools.pairwise(cuts)):
        work.run(len(before), block)
        yield block.rows, work.series()


class _Work:
    """One run of a plan: what lies between its stages, and its results."""

    def __init__(self, plan: Plan, bars: Bars, dtype: str) -> None:
        prepare(plan)
        self.plan, self.bars, self.dtype = plan, bars, dtype
        self.kept: dict[Factor, Array] = {}
        self.results: dict[Factor, Column] = {}

    def run(self, number: int, tiles: Tiles) -> None:
        """Run a stage on these tiles, which for all but the last one are all tiles."""
        stage, live = self.plan.stages[number], self.plan.live(number)
        self.kept = {node: values for node, values in self.kept.items() if node in live}
        self.kept |= {node: borrow(self.bars.rows, "float64") for node in stage.keeps if node not in self.kept}
        self.results |= {node: Column(tiles.rows, self.dtype, len(tiles)) for node in stage.results}
        self._run_tiles(self.program(stage), tiles, stage.axis)
        for node in stage.results:
            self.results[node].close(tiles.bounds)
        count(len(tiles) * len(stage.steps))

    def series(self) -> list[pl.Series]:
        """The results under their names."""
        return [self.results[factor].series(name) for name, factor in self.plan.aims.items()]

    def _run_tiles(self, program: Program, tiles: Tiles, axis: Axis) -> None:
        threads = max(1, min(processors(), len(tiles)))
        chunks = np.unique(np.linspace(0, len(tiles), 1 + CHUNKS * threads, dtype=int)).tolist()
        spare: SimpleQueue[Scratch] = SimpleQueue()
        for _ in range(threads):
            spare.put(program.scratch(tiles.size))

        def run_chunk(chunk: tuple[int, int]) -> None:
            scratch = spare.get()
            try:
                with np.errstate(all="ignore"):
                    program.run(tiles, *chunk, scratch)
            finally:
                spare.put(scratch)

        with progress(f"{axis.value} stage", len(chunks) - 1) as advance, ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(run_chunk, itertools.pairwise(chunks)):
                advance()

    def program(self, stage: Stage) -> Program:
        """A stage's steps, with what each reads where it lies, and what becomes of each value."""
        by_date = stage.axis is Axis.CROSS
        places = self.bars.places if self.plan.turned else np.empty(0, np.int64)
        program = Program(places, {key: self.bars.by_group(key) for key in _keys(stage)})
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

    def tiles(self, stage: Stage) -> Tiles:
        """The runs in stretches of about as many rows as a tile has."""
        offsets = self.bars.by_date if stage.axis is Axis.CROSS else self.bars.by_symbol
        cuts = cuts_of(offsets, tile_rows(stage))
        groups = {key: self.bars.by_group(key) for key in _keys(stage)}
        return Tiles(offsets[cuts], offsets, cuts, {key: (g.offsets, g.dates[cuts]) for key, g in groups.items()})


def _keys(stage: Stage) -> set[str]:
    """The columns that the stage groups by."""
    return {str(node.inputs[-1].parameters[0]) for node in stage.nodes if node.operator.axis is Axis.GROUP}
