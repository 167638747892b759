"""Returns of each quantile far from the mean, over all dates at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numba import types

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.cells import Cells, Source
from factorloom.engine.research.evaluation.long import long
from factorloom.engine.research.evaluation.loop.section import (
    Ints,
    fill_buckets,
    fill_buckets_by_group,
    fill_edges,
    order_by_group,
    rank_names,
)
from factorloom.engine.research.evaluation.measured import batches
from factorloom.engine.runtime.jit import COUNTS, NUMBERS, loop, prepare
from factorloom.engine.runtime.observer import Observer
from factorloom.engine.runtime.progress import default_observer
from factorloom.engine.runtime.thread import for_each
from factorloom.expressions.factor import Factor
from factorloom.expressions.operators.loop.sort import room_of

__all__ = ["Tails", "find_buckets", "with_buckets"]

CRASH = -0.2
"""A return at or below this is a crash."""

SHARES = (0.01, 0.05, 0.95, 0.99)
COLUMNS = ("names", "p01", "p05", "p95", "p99", "worst", "best", "skew", "crash_rate")
CODES = types.Array(types.int32, 1, "C", readonly=True)
WRITTEN = types.Array(types.int32, 1, "C")


@loop(types.void(NUMBERS, COUNTS, CODES, COUNTS, types.int64, types.int64, types.int64, WRITTEN, WRITTEN))
def find_buckets(
    column: Array,
    rows: Index,
    groups: Ints,
    offsets: Index,
    group_count: int,
    neutral: int,
    quantiles: int,
    ranks: Ints,
    buckets: Ints,
) -> None:
    """Doubled rank and quantile of every cell, 0 where the factor is missing."""
    width = 0
    for d in range(offsets.size - 1):
        width = max(width, offsets[d + 1] - offsets[d])
    x, scratch, room = np.empty(width), np.empty(width), np.empty(room_of(width), np.uint64)
    order, by_group = np.empty((2, width), np.int32)
    starts, edges = np.zeros(group_count + 1, np.int32), np.zeros(quantiles + 1, np.int32)
    for d in range(offsets.size - 1):
        a, b = offsets[d], offsets[d + 1]
        for k in range(a, b):
            x[k - a] = column[rows[k]]
        size = b - a
        n = rank_names(x[:size], scratch[:size], room, ranks[a:b], order[:size])
        if neutral:
            order_by_group(order[:n], groups[a:b], by_group, starts)
            fill_buckets_by_group(ranks[a:b], by_group, starts, quantiles, buckets[a:b])
        else:
            fill_edges(ranks[a:b], order, n, edges)
            fill_buckets(order, edges, buckets[a:b])


def with_buckets(
    source: Source,
    factors: Mapping[str, Factor],
    cells: Cells,
    quantiles: int,
    neutral: bool,
    use: Callable[[int, Ints, Ints], None],
) -> None:
    """Give `use` the number of each factor, with doubled ranks and quantiles of its cells, on several threads."""
    prepare(default_observer(), find_buckets)

    def work(item: tuple[int, Array]) -> None:
        factor, column = item
        ranks, buckets = np.zeros((2, cells.count), np.int32)
        groups = len(cells.names)
        find_buckets(column, cells.rows, cells.groups, cells.offsets, groups, int(neutral), quantiles, ranks, buckets)
        use(factor, ranks, buckets)

    done = 0
    for columns in batches(source, factors):
        for_each(work, enumerate(columns.values(), done), Observer())
        done += len(columns)


@loop(types.void(CODES, COUNTS, NUMBERS, types.Array(types.int64, 1, "C"), types.Array(types.float64, 1, "C")))
def split(buckets: Ints, order: Index, ascending: Array, ends: Index, out: Array) -> None:
    """Values that are in ascending order, quantile by quantile; `ends` is where each quantile ends, from 0: none."""
    ends[:] = 0
    chosen = np.empty(order.size, np.int32)
    for i in range(np.uint64(order.size)):
        chosen[i] = buckets[np.uint64(order[i])]
        ends[np.uint64(chosen[i])] += 1
    before = np.int64(0)
    for q in range(ends.size):
        size = ends[q]
        ends[q] = before
        before += size
    for i in range(np.uint64(order.size)):
        bucket = np.uint64(chosen[i])
        out[np.uint64(ends[bucket])] = ascending[i]
        ends[bucket] += 1


class Tails:
    """Rows by factor, horizon and quantile: quantiles of the returns between two values linearly, moments of all.

    `with_buckets` gives its `use` what the rows are made from.
    """

    def __init__(self, factors: Sequence[str], cells: Cells, quantiles: int) -> None:
        horizons = cells.horizons.size
        self._order, self._ascending = [np.empty(0, np.int64)] * horizons, [np.empty(0)] * horizons
        self._keys = {
            "factor": pl.Series(factors, dtype=pl.String),
            "horizon": pl.Series(cells.horizons),
            "quantile": pl.Series(np.arange(1, quantiles + 1)),
        }
        self._found = np.full((len(factors), horizons, quantiles, len(COLUMNS)), np.nan)

        def sort(h: int) -> None:
            labels = cells.labels[h]
            self._order[h] = np.argsort(labels)[: int((~np.isnan(labels)).sum())]
            self._ascending[h] = labels[self._order[h]]

        for_each(sort, range(horizons), Observer())
        prepare(default_observer(), split)

    def use(self, factor: int, ranks: Ints, buckets: Ints) -> None:
        """Take the quantiles of the cells of one factor."""
        horizons, quantiles = self._found.shape[1:3]
        ends = np.zeros(quantiles + 1, np.int64)
        for h in range(horizons):
            values = np.empty_like(self._ascending[h])
            split(buckets, self._order[h], self._ascending[h], ends, values)
            for q in range(quantiles):
                self._found[factor, h, q] = _statistics(values[ends[q] : ends[q + 1]])

    def frame(self) -> pl.DataFrame:
        """The table."""
        table = long(self._keys, {name: self._found[..., place] for place, name in enumerate(COLUMNS)})
        return table.with_columns(pl.col("names").cast(pl.Int64))


def _statistics(ascending: Array) -> Array:
    """Of returns in ascending order; what is beyond all numbers is missing."""
    n = ascending.size
    if n == 0:
        return np.array([0.0, *[np.nan] * (len(COLUMNS) - 1)])
    places = np.array(SHARES) * (n - 1)
    below = np.floor(places).astype(np.int64)
    low, high = ascending[below], ascending[np.minimum(below + 1, n - 1)]
    with np.errstate(all="ignore"):
        away = ascending - ascending.mean()
        scale = max(-away[0], away[-1])
        if scale > 0:
            away /= scale
        power = away * away
        variance = power.mean()
        power *= away
        is_constant = not ascending[-1] - ascending[0] > 1e-14 * max(-ascending[0], ascending[-1])
        skew = np.nan if n < 3 or is_constant else power.mean() / variance**1.5
    crashes = np.searchsorted(ascending, CRASH, side="right") / n
    return np.array([n, *(low + (high - low) * (places - below)), ascending[0], ascending[-1], skew, crashes])
