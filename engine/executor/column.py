"""Factors that are columns of the panel as they are: nothing is computed, and nothing compiled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.executor.protocol import Block
from factorloom.engine.plan.plan import Plan
from factorloom.engine.runtime.observer import Observer
from factorloom.expressions.operator import COL

__all__ = ["ColumnExecutor", "is_plain", "typed"]


class ColumnExecutor:
    """Runs plans whose outputs are columns."""

    def run(self, plan: Plan, bars: Bars, observer: Observer) -> Iterator[Block]:
        """See `Executor.run`; the outputs are the panel's own memory, in one block."""
        observer.check()
        columns = {name: bars.table[str(factor.parameters[0])] for name, factor in plan.outputs.items()}
        yield Block(slice(0, bars.rows), [typed(values, plan.dtype).alias(name) for name, values in columns.items()])

    def rank_bytes(self, bars: Bars) -> int:
        """See `Executor.rank_bytes`; there are no ranks."""
        return 0

    def memory(self, plan: Plan, bars: Bars) -> Mapping[str, float]:
        """See `Executor.memory`: columns of the type that is asked for are used as they are."""
        schema = bars.table.schema
        kinds = [schema[str(factor.parameters[0])] for factor in set(plan.outputs.values())]
        copied = sum(kind != (pl.Float32 if plan.dtype == "float32" else pl.Float64) for kind in kinds)
        results = copied * bars.rows * (plan.item_bytes + 1 / 8)
        return {"results": results, "between stages": 0.0, "columns": 0.0, "scratch": 0.0}


def is_plain(plan: Plan) -> bool:
    """Whether all outputs are columns, and may leave at once."""
    return not plan.streamed and all(factor.operator is COL for factor in plan.outputs.values())


def typed(values: pl.Series, dtype: str) -> pl.Series:
    """Values as Float64, or as Float32, missing where that overflows."""
    if dtype == "float64" or values.dtype == pl.Float32:
        return values.cast(pl.Float64 if dtype == "float64" else pl.Float32)
    narrow = values.cast(pl.Float32)
    return narrow.set(narrow.is_infinite(), None)
