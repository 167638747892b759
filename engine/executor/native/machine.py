"""The default executor: a stage's whole program on one tile after another, tiles on threads.

Columns and outputs are used in place. Values that a stage date by date loads or makes are kept in date-major order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.native.kernel import prepare
from factorloom.engine.executor.native.result import Values
from factorloom.engine.executor.native.stage import parts_of, run_stage
from factorloom.engine.executor.native.tile import BLOCK_ROWS, blocks_of, tiles_of
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import processors
from factorloom.expressions.operator import COL

__all__ = ["NativeExecutor"]


class NativeExecutor:
    """Runs plans with kernels that Numba compiles."""

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """See `Executor.run`; a streamed plan's last stage runs some symbols at a time."""
        observer.check()
        prepare(plan, observer)
        values = Values(plan, bars.rows, observer)
        for stage in plan.stages[:-1]:
            run_stage(stage, bars, tiles_of(stage, bars), values, observer)
        last = plan.stages[-1]
        for tiles in blocks_of(tiles_of(last, bars)) if plan.streamed else [tiles_of(last, bars)]:
            run_stage(last, bars, tiles, values, observer)
            yield values.block()

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """See `Executor.memory`.

        Outputs with a validity bit for each value; values that wait between stages; columns with missing values and the
        date-major order of rows, which the panel keeps for later runs; and the scratch memory of the threads. Of a
        streamed plan two blocks exist at once: one being made, and one in use or on its way to a file.
        """
        columns = {str(load.node.parameters[0]) for s in plan.stages for load in s.loads if load.node.operator is COL}
        filled = sum(_bytes(bars, column) for column in columns if bars.frame[column].null_count())
        rows = min(bars.rows, 2 * BLOCK_ROWS) if plan.streamed else bars.rows
        return {
            "results": len(set(plan.outputs.values())) * rows * (np.dtype(plan.dtype).itemsize + 1 / 8),
            "between stages": plan.most_waiting * bars.rows * 8,
            "columns": (filled + 2 * 8 * plan.turns) * bars.rows,
            "scratch": max(_scratch(stage, bars) for stage in plan.stages),
        }


def _bytes(bars: Bars, column: str) -> int:
    """Of one value of a column."""
    return 4 if bars.frame.schema[column] == pl.Float32 else 8


def _scratch(stage: Stage, bars: Bars) -> int:
    """Bytes of registers, each as long as the largest tile, of all threads."""
    tiles = tiles_of(stage, bars)
    parts = parts_of(stage, tiles)
    widths = sorted(part.width() + _widened(part, bars) for part in parts)
    registers = sum(widths[-processors() :]) if len(parts) > 1 else widths[0] * min(processors(), len(tiles))
    return 8 * tiles.size * registers


def _widened(stage: Stage, bars: Bars) -> int:
    """How many columns a tile holds as Float64 because the panel holds them as Float32."""
    columns = (str(load.node.parameters[0]) for load in stage.loads if load.node.operator is COL)
    return sum(_bytes(bars, column) == 4 for column in columns)
