"""The default executor: a stage's whole program on one tile after another, tiles on threads.

Columns and outputs are used where they lie. Values that a stage date by date loads or makes lie in the order of dates
between stages.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from queue import SimpleQueue

import numpy as np

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.layout import Array
from factorloom.engine.executor.native.kernel import prepare
from factorloom.engine.executor.native.program import Program, Scratch
from factorloom.engine.executor.native.result import Column
from factorloom.engine.executor.native.tile import BLOCK_ROWS, Tiles, blocks_of, tile_rows, tiles_of
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.memory import borrow
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import for_each, processors
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL

__all__ = ["NativeExecutor"]

CHUNKS = 16
"""Parts of a stage for each thread: few, so that little time goes into handing them out, but more than one, so that no
thread waits long for the last.
"""


class NativeExecutor:
    """Runs plans with kernels that Numba compiles."""

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """See `Executor.run`; a streamed plan's last stage runs some symbols at a time."""
        prepare(plan, observer)
        work = _Work(plan, bars, observer)
        *before, last = plan.stages
        for number, stage in enumerate(before):
            work.run(number, tiles_of(stage, bars))
        tiles = tiles_of(last, bars)
        for block in blocks_of(tiles) if plan.streamed else [tiles]:
            work.run(len(before), block)
            yield work.block(block.rows)

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """See `Executor.memory`.

        Outputs with a bit for each value; what lies between stages; columns with missing values and the order of dates,
        which the panel keeps for later runs; and what the threads work with. Of a streamed plan three blocks are held
        at most: one that is made, one that is used, and a copy on its way to a file.
        """
        columns = {str(load.node.parameters[0]) for s in plan.stages for load in s.loads if load.node.operator is COL}
        filled = sum(bars.frame[column].null_count() > 0 for column in columns)
        rows = min(bars.rows, 5 * BLOCK_ROWS // 2) if plan.streamed else bars.rows
        widest = max(stage.width() for stage in plan.stages)
        tile = min(bars.rows, max(map(tile_rows, plan.stages)))
        return {
            "results": len(set(plan.outputs.values())) * rows * (np.dtype(plan.dtype).itemsize + 1 / 8),
            "between stages": max(len(plan.waiting(n)) for n in range(len(plan.stages))) * bars.rows * 8,
            "columns": (filled + 2 * plan.turns) * bars.rows * 8,
            "scratch": widest * tile * 8 * processors(),
        }


class _Work:
    """One run of a plan: what lies between its stages, and its outputs."""

    def __init__(self, plan: Plan, bars: Bars, observer: Observer) -> None:
        self.plan, self.bars, self.observer = plan, bars, observer
        self.kept: dict[Factor, Array] = {}
        self.columns: dict[Factor, Column] = {}

    def run(self, number: int, tiles: Tiles) -> None:
        """Run a stage on these tiles, which for all but the last one are all tiles."""
        stage, waiting = self.plan.stages[number], self.plan.waiting(number)
        before = self._held()
        self.kept = {node: values for node, values in self.kept.items() if node in waiting}
        made = (item.node for item in stage.keeps if item.node not in self.kept)
        self.kept |= {node: borrow(self.bars.rows, "float64") for node in made}
        self.columns |= {node: Column(tiles.rows, self.plan.dtype, len(tiles)) for node in stage.emits}
        self.observer.hold(self._held() - before)
        self._run_tiles(stage, tiles)
        for node in stage.emits:
            self.columns[node].close(tiles.bounds)
        self.observer.ran(len(tiles) * len(stage.steps))

    def block(self, rows: slice) -> Block:
        """The outputs under their names."""
        return Block(rows, [self.columns[factor].series(name) for name, factor in self.plan.outputs.items()])

    def _held(self) -> int:
        return sum(x.nbytes for x in self.kept.values()) + sum(x.values.nbytes for x in self.columns.values())

    def _run_tiles(self, stage: Stage, tiles: Tiles) -> None:
        program = Program(stage, self.bars, self.kept, self.columns)
        threads = max(1, min(processors(), len(tiles)))
        chunks = np.unique(np.linspace(0, len(tiles), 1 + CHUNKS * threads, dtype=int)).tolist()
        spare: SimpleQueue[Scratch] = SimpleQueue()
        for _ in range(threads):
            spare.put(program.scratch(tiles.size))

        def run_chunk(chunk: tuple[int, int]) -> None:
            scratch = spare.get()
            try:
                with np.errstate(all="ignore"):
                    program.run(tiles, *chunk, scratch, self.observer)
            finally:
                spare.put(scratch)

        with self.observer.task(stage.orientation.value, len(chunks) - 1):
            for_each(run_chunk, itertools.pairwise(chunks), self.observer)
