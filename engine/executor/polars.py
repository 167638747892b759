"""The portable executor: the stages of a plan as Polars expressions, and a second opinion on every value.

Every node becomes one column of a frame in panel order, so that changing the order of rows costs nothing: a stage that
goes date by date says so in `.over(date)`. Polars gives a wrong answer where one `.over()` stands inside another, so a
node that looks along time or across symbols only ever reads finished columns: the steps of a stage form layers,
each one `with_columns`. Statistics are left out, for a Polars form finds them itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.column import typed
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan, Stage
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.factor import Factor, dates_left
from factorloom.expressions.operator import COL, LIT
from factorloom.expressions.polars.write import as_column, as_step, layers_of

__all__ = ["PolarsExecutor"]

Names = Mapping[Factor, str]

BATCH = 8
"""Columns that are computed at a time: between two batches a computation can be cancelled."""


class PolarsExecutor:
    """Runs each stage of a plan as Polars queries over the whole panel."""

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """See `Executor.run`; the outputs come in one block."""
        names = {node: f"\0{number}" for number, node in enumerate(plan.nodes)}
        observer.check()
        outputs: dict[Factor, pl.Series] = {}
        kept: list[pl.Series] = []
        parts = [(stage, list(_parts(stage))) for stage in plan.stages]
        with observer.task("Polars stages", sum(len(nodes) for _, nodes in parts)):
            for stage, batches in parts:
                frame = bars.table.hstack(kept)
                for batch in batches:
                    frame = frame.with_columns(_column(node, bars, names) for node in batch)
                    observer.advance()
                leaving = [node for node in (*stage.writes, *stage.emits) if node not in outputs]
                outputs |= {node: frame[names[node]] for node in leaving}
                kept = [frame[names[node]] for node in stage.waiting]
        values = [typed(outputs[factor], plan.dtype).alias(name) for name, factor in plan.outputs.items()]
        yield Block(slice(0, bars.rows), values)

    def rank_bytes(self, bars: Bars) -> int:
        """See `Executor.rank_bytes`; ranks are Float64 columns like all others."""
        return 8

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """See `Executor.memory`: a stage holds all that it loads and makes until it ends."""
        return {
            "results": len(set(plan.outputs.values())) * bars.rows * (plan.item_bytes + 1 / 8),
            "between stages": plan.waiting_bytes * bars.rows,
            "columns": max(len(stage.nodes) + len(stage.loads) for stage in plan.stages) * bars.rows * 8,
        }


def _parts(stage: Stage) -> Iterator[list[Factor]]:
    """What a stage loads and makes, a few columns at a time, each after those that it reads."""
    constants = (*stage.emits, *(child for node in stage.nodes for child in node.operands))
    columns = [load.node for load in stage.loads if load.node.operator is COL]
    first = dict.fromkeys(node for node in (*columns, *constants) if node.operator in (COL, LIT))
    for layer in (list(first), *layers_of(stage.nodes)):
        for start in range(0, len(layer), BATCH):
            yield layer[start : start + BATCH]


def _column(node: Factor, bars: Bars, names: Names) -> pl.Expr:
    if node is dates_left():
        return pl.lit(pl.Series(bars.dates_left)).alias(names[node])

    def constant(value: float) -> pl.Expr:
        return pl.lit(pl.Series(np.full(bars.rows, value)))

    return as_column(node, as_step(node, names, bars.symbol, bars.date, constant)).alias(names[node])
