"""What a plan gives on the chosen bars of a panel: frames of keys and values, block by block."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import polars as pl

from factorloom.engine.bars.bars import Bars
from factorloom.engine.bars.category import text_of
from factorloom.engine.bars.selection import Mask
from factorloom.engine.executor.choose import choose
from factorloom.engine.executor.fit import Size, bytes_of, fit
from factorloom.engine.executor.protocol import Block, Executor
from factorloom.engine.plan.plan import Plan
from factorloom.engine.plan.reach import needed_rows
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.engine.runtime.thread import check_process
from factorloom.expressions.errors import ArgumentError

__all__ = ["check_options", "key_blocks", "value_blocks"]

BLOCK_ROWS = 1_000_000


def check_options(plan: Plan, engine: str, memory: Size | None, observer: object) -> Executor:
    """The executor of a plan; what cannot be an engine, a size or an observer is refused."""
    if observer is not None and not isinstance(observer, Observer):
        raise ArgumentError(f"observer must be an Observer, got {type(observer).__name__}")
    if memory is not None:
        bytes_of(memory)
    return choose(engine, plan)


def value_blocks(
    plan: Plan, bars: Bars, chosen: Mask | None, engine: str, memory: Size | None, observer: Observer | None
) -> Generator[pl.DataFrame, None, None]:
    """Keys and outputs of a plan on the chosen bars, all where None; what is wrong is refused at once."""
    check_process()
    executor = check_options(plan, engine, memory, observer)
    part = bars
    if chosen is not None:
        rows = needed_rows(plan, bars, chosen)
        part, chosen = bars.part(rows), chosen[rows]
    plan = fit(plan, executor, part, memory)
    return _selected(executor.run(plan, part, observer or default_observer()), part, chosen)


def key_blocks(bars: Bars, chosen: Mask | None) -> Generator[pl.DataFrame, None, None]:
    """The keys of the chosen bars."""
    blocks = (Block(slice(start, start + BLOCK_ROWS), []) for start in range(0, max(bars.rows, 1), BLOCK_ROWS))
    return _selected(blocks, bars, chosen)


def _selected(blocks: Iterator[Block], bars: Bars, chosen: Mask | None) -> Generator[pl.DataFrame, None, None]:
    """The blocks with their keys, symbols as text, and without the bars that only the computation needed."""
    keys = bars.table.select(bars.symbol, bars.date)
    is_first = True
    for rows, values in blocks:
        frame = keys[rows].hstack(values)
        frame = frame if chosen is None else frame.filter(pl.Series(chosen[rows]))
        if is_first or frame.height:
            yield frame.with_columns(text_of(frame[bars.symbol]))
        is_first = False
