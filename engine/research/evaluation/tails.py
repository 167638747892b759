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


def take_ends(buckets: Ints, order: Index, ascending: Array, starts: Index, step: int, out: Array) -> None:
    """The lowest values of each quantile or, at a step of -1, its highest: as many as `starts` has room for in `out`.

    What is asked for is near the ends, so that few values are passed.
    """
    places = starts.copy()
    i, left = (np.int64(0) if step > 0 else order.size - 1), out.size
    while left > 0:
        q = buckets[order[i]]
        if places[q] < starts[q + 1]:
            out[places[q]] = ascending[i]
            places[q] += 1
            left -= 1
        i += step


def between(values: Array, start: int, place: float) -> float:
    """The value at a place that may lie between two."""
    below = np.int64(place)
    low, high = values[start + below], values[start + np.int64(np.ceil(place))]
    return float(low + (high - low) * (place - below))


@loop(types.void(CODES, NUMBERS, COUNTS, NUMBERS, types.Array(types.float64, 2, "C")))
def fill_tails(buckets: Ints, labels: Array, order: Index, ascending: Array, found: Array) -> None:
    """Row by row the figures of `COLUMNS` of each quantile; `order` has the places of labels, lowest first.

    What is beyond all numbers becomes missing.
    """
    count, mean = np.zeros(len(found) + 1, np.int64), np.zeros(len(found) + 1)
    for i in range(np.uint64(labels.size)):
        if labels[i] == labels[i]:
            count[np.uint64(buckets[i])] += 1
            mean[np.uint64(buckets[i])] += labels[i]
    lowest, highest = np.zeros((2, count.size + 1), np.int64)
    for q in range(1, count.size):
        n = count[q]
        lowest[q + 1] = lowest[q] + (min(n, np.int64(SHARES[1] * (n - 1)) + 2) if n else 0)
        highest[q + 1] = highest[q] + (n - np.int64(SHARES[2] * (n - 1)) if n else 0)
    low, high = np.empty(lowest[count.size]), np.empty(highest[count.size])
    take_ends(buckets, order, ascending, lowest, 1, low)
    take_ends(buckets, order, ascending, highest, -1, high)
    scale = np.ones(count.size)
    for q in range(1, count.size):
        if count[q] > 0:
            mean[q] /= count[q]
            scale[q] = max(mean[q] - low[lowest[q]], high[highest[q]] - mean[q])
            if not scale[q] > 0:
                scale[q] = 1.0
    squares, cubes, crashes = np.zeros((3, count.size))
    for i in range(np.uint64(labels.size)):
        if labels[i] == labels[i]:
            bucket = np.uint64(buckets[i])
            away = (labels[i] - mean[bucket]) / scale[bucket]
            squares[bucket] += away * away
            cubes[bucket] += away * away * away
            crashes[bucket] += labels[i] <= CRASH
    for q in range(1, count.size):
        row, n = found[q - 1], count[q]
        row[:] = np.nan
        row[0] = n
        if n > 0:
            for k in range(2):
                row[1 + k] = between(low, lowest[q], SHARES[k] * (n - 1))
                row[3 + k] = between(high, highest[q], n - 1 - SHARES[2 + k] * (n - 1))
            worst, best = low[lowest[q]], high[highest[q]]
            row[5], row[6], row[8] = worst, best, crashes[q] / n
            if n > 2 and best - worst > 1e-14 * max(-worst, best):
                row[7] = cubes[q] / n / (squares[q] / n) ** 1.5


class Tails:
    """Rows by factor, horizon and quantile: quantiles of the returns between two values linearly, moments of all.

    `with_buckets` gives its `use` what the rows are made from.
    """

    def __init__(self, factors: Sequence[str], cells: Cells, quantiles: int) -> None:
        horizons = cells.horizons.size
        self._labels = cells.labels
        self._order, self._ascending = [np.empty(0, np.int64)] * horizons, [np.empty(0)] * horizons
        self._keys = {
            "factor": pl.Series(factors, dtype=pl.String),
            "horizon": pl.Series(cells.horizons),
            "quantile": pl.Series(np.arange(1, quantiles + 1)),
        }
        self._found = np.empty((len(factors), horizons, quantiles, len(COLUMNS)))

        def sort(h: int) -> None:
            known = np.flatnonzero(~np.isnan(cells.labels[h]))  # without missing values NumPy sorts three times as fast
            self._order[h] = known[np.argsort(cells.labels[h][known])]
            self._ascending[h] = cells.labels[h][self._order[h]]

        for_each(sort, range(horizons), Observer())
        prepare(default_observer(), fill_tails)

    def use(self, factor: int, ranks: Ints, buckets: Ints) -> None:
        """Take the quantiles of the cells of one factor."""
        for h, found in enumerate(self._found[factor]):
            fill_tails(buckets, self._labels[h], self._order[h], self._ascending[h], found)

    def frame(self) -> pl.DataFrame:
        """The table."""
        table = long(self._keys, {name: self._found[..., place] for place, name in enumerate(COLUMNS)})
        return table.with_columns(pl.col("names").cast(pl.Int64))
