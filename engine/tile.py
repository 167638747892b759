"""The default executor: a stage's whole program on one tile after another, tiles on threads.

A tile is a few symbols' whole history, or a few dates' cross-sections, small enough that what is computed on the way
stays in the processor's cache. Reading a tile gathers the rows of every input (in panel order for symbols, in the
order by date for dates); leaving it scatters the values that the stage keeps. Between the two, every node is one
call: a compiled kernel where the operator has one, otherwise its NumPy meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import polars as pl

from factorloom.engine.bars import Bars
from factorloom.engine.kernel import compiled, count, prepare, scalars
from factorloom.engine.layout import Array, Index, Runs, as_series
from factorloom.engine.plan import Plan, Stage
from factorloom.engine.processor import processors
from factorloom.engine.progress import progress
from factorloom.expressions.axis import Axis
from factorloom.expressions.factor import Factor
from factorloom.expressions.operator import COL, LIT

__all__ = ["run"]

TILE_ROWS = 16_384
"""Rows of a tile, unless a single symbol or date has more: 128 KiB a value."""

Values: TypeAlias = dict[Factor, Array]
Step: TypeAlias = Callable[["Tile", Values], Array]


@dataclass(frozen=True)
class Tile:
    """A stretch of runs, and the rows of the panel that they cover."""

    first: int
    last: int
    rows: slice | Index
    size: int
    start: int


def run(plan: Plan, bars: Bars) -> list[pl.Series]:
    """The wanted factors of a plan, in panel order."""
    prepare([node.operator for node in plan.computed])
    whole = {node: bars.array(str(node.parameters[0])) for node in plan.nodes if node.operator is COL}
    for number, stage in enumerate(plan.stages):
        whole |= _run_stage(stage, bars, whole)
        needed = {node for later in plan.stages[number + 1 :] for node in later.reads} | set(plan.wanted.values())
        whole = {node: values for node, values in whole.items() if node in needed}
    return [as_series(name, _whole(factor, whole, bars.rows)) for name, factor in plan.wanted.items()]


def _whole(factor: Factor, whole: Mapping[Factor, Array], rows: int) -> Array:
    return np.full(rows, factor.parameters[0]) if factor.operator is LIT else whole[factor]


def _run_stage(stage: Stage, bars: Bars, whole: Mapping[Factor, Array]) -> Values:
    runs = bars.by_symbol if stage.axis is Axis.TIME else bars.by_date
    kept = {node: np.empty(bars.rows) for node in stage.keeps}
    program = [(node, _step(node, bars, runs)) for node in stage.nodes]
    tiles = list(_tiles(runs))

    def run_tile(tile: Tile) -> None:
        values = {node: np.ascontiguousarray(whole[node][tile.rows]) for node in stage.reads}
        with np.errstate(all="ignore"):
            for node, step in program:
                values[node] = step(tile, values)
        for node, target in kept.items():
            target[tile.rows] = values[node]

    with progress(f"{stage.axis.value} stage", len(tiles)) as advance, ThreadPoolExecutor(processors()) as pool:
        for _ in pool.map(run_tile, tiles):
            advance()
    count(len(tiles) * len(program))
    return kept


def _tiles(runs: Runs) -> Iterator[Tile]:
    """Cut the runs into tiles of about `TILE_ROWS` rows, never through a run."""
    offsets, last_run = runs.offsets, runs.offsets.size - 1
    first = 0
    while first < last_run:
        last = int(np.searchsorted(offsets, offsets[first] + TILE_ROWS, side="right")) - 1
        last = min(max(last, first + 1), last_run)
        start, stop = int(offsets[first]), int(offsets[last])
        rows = slice(start, stop) if runs.order is None else runs.order[start:stop]
        yield Tile(first, last, rows, stop - start, start)
        first = last


def _step(node: Factor, bars: Bars, runs: Runs) -> Step:
    if node.operator.axis is Axis.CELL:
        return _cell(node)
    if node.operator.axis is Axis.GROUP:
        return _group(node, bars)
    return _moving(node, runs)


def _cell(node: Factor) -> Step:
    """Whole columns of the tile through the operator's NumPy meaning."""
    form, parameters = node.operator.meaning_form, node.parameters
    assert form is not None

    def step(tile: Tile, values: Values) -> Array:
        out = form(*(_input(child, values) for child in node.inputs), *parameters)
        out = np.broadcast_to(out, tile.size) if out.ndim == 0 else out
        finite = np.isfinite(out)
        return out if finite.all() else np.where(finite, out, np.nan)

    return step


def _moving(node: Factor, runs: Runs) -> Step:
    """The operator's kernel on every run of the tile."""
    driver, numbers = compiled(node.operator), scalars(node.operator, node.parameters)

    def step(tile: Tile, values: Values) -> Array:
        out = np.empty(tile.size)
        driver(
            runs.offsets, tile.first, tile.last, *(_full(child, values, tile) for child in node.inputs), *numbers, out
        )
        return out

    return step


def _group(node: Factor, bars: Bars) -> Step:
    """The operator's kernel on every category of every date of the tile."""
    driver, numbers = compiled(node.operator), scalars(node.operator, node.parameters)
    groups = bars.by_group(str(node.inputs[-1].parameters[0]))

    def step(tile: Tile, values: Values) -> Array:
        first, last = int(groups.dates[tile.first]), int(groups.dates[tile.last])
        places = groups.places[groups.offsets[first] : groups.offsets[last]] - tile.start
        part = np.empty(places.size)
        driver(
            groups.offsets,
            first,
            last,
            *(_full(child, values, tile)[places] for child in node.operands),
            *numbers,
            part,
        )
        out = np.full(tile.size, np.nan)
        out[places] = part
        return out

    return step


def _input(node: Factor, values: Values) -> Array:
    return np.float64(node.parameters[0]) if node.operator is LIT else values[node]  # type: ignore[return-value]


def _full(node: Factor, values: Values, tile: Tile) -> Array:
    return np.full(tile.size, node.parameters[0]) if node.operator is LIT else np.ascontiguousarray(values[node])
