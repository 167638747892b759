"""The default executor: a stage's whole program on one tile after another, tiles on threads.

Columns and outputs are used in place. Values that a stage date by date loads or makes are kept in date-major order.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.native import interpreter
from factorloom.engine.executor.native.crew import Crew
from factorloom.engine.executor.native.parts import parts_of
from factorloom.engine.executor.native.shape import missing_in
from factorloom.engine.executor.native.tile import BLOCK_ROWS, blocks_of, rank_type, tiles_of
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.thread import processors
from factorloom.expressions.factor import DATES_LEFT
from factorloom.expressions.operator import COL

__all__ = ["NativeExecutor", "Prepared", "prepare"]


log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """How many kernels were compiled, and how many were found on disk."""

    compiled: int
    loaded: int


def prepare(plans: Sequence[Plan], observer: Observer) -> Prepared:
    """Compile the kernels of plans that this process does not have yet, or load them from disk."""
    missing = missing_in(plans)
    compiled = 0
    if missing:
        with Crew(missing) as crew:  # workers start while this process imports Numba
            compiled = crew.count
            if compiled:
                log.info("preparing %d kernels: compiled when first used, then kept on disk", compiled)
            from factorloom.engine.executor.native import kernel

            kernel.prepare(plans, missing, crew, observer)
    return Prepared(compiled, len(missing) - compiled)


class NativeExecutor:
    """Runs plans with kernels that Numba compiles."""

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """See `Executor.run`; a streamed plan's last stage runs some symbols at a time."""
        observer.check()
        block = interpreter.BUDGET.spend(plan, bars, missing_in([plan]), observer)
        if block is not None:
            yield block
            return
        prepare([plan], observer)
        from factorloom.engine.executor.native.result import Values
        from factorloom.engine.executor.native.stage import run_stage

        with contextlib.closing(Values(plan, bars, observer)) as values:
            for stage in plan.stages:
                is_last = stage is plan.stages[-1]
                whole = tiles_of(stage, bars)
                for tiles in blocks_of(whole) if stage.writes or (is_last and plan.streamed) else [whole]:
                    run_stage(stage, bars, tiles, values, observer)
                    if is_last:
                        yield values.block()

    def rank_bytes(self, bars: Bars) -> int:
        """See `Executor.rank_bytes`."""
        return np.dtype(rank_type(bars)).itemsize

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """See `Executor.memory`.

        Outputs with a validity bit for each value; values that wait between stages; columns with missing values, the
        date-major order of rows and that of groups, which the panel keeps for later runs; and the scratch memory of the
        threads. Of a streamed plan two blocks exist at once, in the last stage: one being made, and one that is used.
        """
        columns = {str(load.node.parameters[0]) for s in plan.stages for load in s.loads if load.node.operator is COL}
        keys = {key for stage in plan.stages for key in stage.keys}
        made = [name for name in columns if name == DATES_LEFT or bars.table[name].null_count()]
        narrow = {name for name, kind in bars.table.schema.items() if kind == pl.Float32}
        filled = sum(4 if name in narrow else 8 for name in made)
        rows = min(bars.rows, 2 * BLOCK_ROWS) if plan.streamed else bars.rows
        results = len(set(plan.outputs.values())) * rows * (plan.item_bytes + 1 / 8)
        between = float(plan.waiting_bytes * bars.rows)
        if plan.streamed:
            last = sum(map(plan.room.bytes_of, plan.stages[-1].waiting)) * bars.rows
            between = max(last, between - results)
        return {
            "results": results,
            "between stages": between,
            "columns": (filled + 8 * (plan.turns + len(keys))) * bars.rows,
            "scratch": max(_scratch(stage, bars, narrow) for stage in plan.stages),
        }


def _scratch(stage: Stage, bars: Bars, narrow: Collection[str]) -> int:
    """Bytes of registers, each as long as the largest tile, of all threads."""
    tiles = tiles_of(stage, bars)
    parts = parts_of(stage, tiles)
    widths = sorted(part.width() + _widened(part, narrow) for part in parts)
    registers = sum(widths[-processors() :]) if len(parts) > 1 else widths[0] * min(processors(), len(tiles))
    return 8 * tiles.size * registers


def _widened(stage: Stage, narrow: Collection[str]) -> int:
    """How many columns a tile holds as Float64 because the panel holds them as Float32."""
    return sum(load.node.operator is COL and load.node.parameters[0] in narrow for load in stage.loads)
