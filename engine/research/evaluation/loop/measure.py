"""The compiled pass over dates: what some factors show on every date, for every horizon.

Sections hold the cells that count: the names of each date that are in the universe and have a group where one is
asked for. Labels are ranked once for all factors (`rank_labels`), and each factor once on every date. Where a name has
only one of the two, ranks among the names that have both come from counting (`section.restrict`).

A ring holds the ranks and quantiles of as many dates as the longest horizon, for turnover and autocorrelation. Up to
`TOGETHER` factors take each date in turn, since what they share, labels above all, takes longer to come from memory
than to use.
"""

# mypy: disallow-untyped-calls=False
from __future__ import annotations

import numpy as np
from numba import types

from factorloom.engine.bars.layout import Array, Index
from factorloom.engine.research.evaluation.loop.group import demean, neutral_portfolio, relate_groups
from factorloom.engine.research.evaluation.loop.past import (
    autocorrelation,
    count_kept,
    remember,
    remember_weights,
    trade,
)
from factorloom.engine.research.evaluation.loop.place import AUTOCORRELATION, IC, PORTFOLIO, RANK_IC, TRADED, UNIVERSE
from factorloom.engine.research.evaluation.loop.quantile import (
    count_both,
    count_entered,
    gather,
    gather_labelled,
    mean,
    order_by_quantile,
    quantile_returns,
    spread,
    varied,
    weighted_returns,
)
from factorloom.engine.research.evaluation.loop.section import (
    BLOCK_DATES,
    FEW_REMOVED,
    Ints,
    correlate,
    correlate_ranks,
    fill_buckets,
    fill_buckets_by_group,
    fill_edges,
    load,
    order_by_group,
    order_by_rank,
    rank_names,
    remove_absent,
    restrict,
    restrict_by_group,
)
from factorloom.engine.runtime.jit import COUNTS, NUMBERS, loop
from factorloom.expressions.operators.loop.sort import room_of

__all__ = ["TOGETHER", "measure", "rank_labels"]

TOGETHER = 4
"""The most factors of one call."""

CODES = types.Array(types.int32, 1, "C", readonly=True)


def _written(kind: types.Number, dimensions: int) -> types.Array:
    return types.Array(kind, dimensions, "C")


INTS2, INTS3, INTS4 = (_written(types.int32, each) for each in (2, 3, 4))
FLOATS2, FLOATS4, FLOATS5 = (_written(types.float64, each) for each in (2, 4, 5))


@loop(types.void(FLOATS2, COUNTS, types.int64, types.int64, types.int64, INTS2, INTS2))
def rank_labels(labels: Array, offsets: Index, horizon: int, first: int, last: int, ranks: Ints, present: Ints) -> None:
    """Doubled ranks of the labels of one horizon on some dates, and how many are present."""
    width = 0
    for d in range(first, last):
        width = max(width, offsets[d + 1] - offsets[d])
    scratch, room, order = np.empty(width), np.empty(room_of(width), np.uint64), np.empty(width, np.int32)
    for d in range(first, last):
        a, b = offsets[d], offsets[d + 1]
        present[horizon, d] = rank_names(labels[horizon, a:b], scratch[: b - a], room, ranks[horizon, a:b], order)


@loop(
    types.void(
        types.UniTuple(NUMBERS, TOGETHER),
        types.int64,
        COUNTS,
        CODES,
        CODES,
        COUNTS,
        FLOATS2,
        INTS2,
        INTS2,
        COUNTS,
        NUMBERS,
        CODES,
        *(types.int64,) * 6,
        INTS3,
        INTS3,
        INTS3,
        INTS4,
        FLOATS4,
        FLOATS5,
        INTS4,
        FLOATS5,
    )
)
def measure(
    columns: tuple[Array, ...],
    count: int,
    rows: Index,
    symbols: Ints,
    groups: Ints,
    offsets: Index,
    labels: Array,
    label_ranks: Ints,
    label_counts: Ints,
    horizons: Index,
    weights: Array,
    entered: Ints,
    symbol_count: int,
    group_count: int,
    neutral: int,
    quantiles: int,
    first: int,
    last: int,
    present: Ints,
    sizes: Ints,
    used: Ints,
    kept: Ints,
    numbers: Array,
    by_quantile: Array,
    group_used: Ints,
    by_group: Array,
) -> None:
    """Everything about the first `count` factors on the dates from `first` to before `last`.

    Reads the factors' columns by row of the bars; by cell `rows`, `symbols`, `groups` (empty: none), `weights` (empty:
    equal), `entered`; `labels` and their ranks by (horizon, cell). Writes, for each factor, `present` (present, present
    and entered) by (2, date), `sizes` by (date, quantile), `used` by (horizon, date), `kept` (names of a quantile that
    were in it a horizon before) by (horizon, date, quantile), `numbers` by (horizon, number, date), `by_quantile` by
    (horizon, number, date, quantile), `group_used` by (horizon, group, date), `by_group` by (horizon, 2, group, date).
    """
    width = 0
    for d in range(offsets.size - 1):
        width = max(width, offsets[d + 1] - offsets[d])
    longest = min(horizons.max(), offsets.size - 1)
    begin, ring = max(first - longest, 0), longest + 1
    old_ranks = np.zeros((count, ring, symbol_count), np.int32)
    old_buckets = np.zeros((count, ring, symbol_count), np.int32)
    old_counts, old_squares = np.zeros((2, count, ring), np.int64)
    old_weights = np.zeros((count, ring if weights.size > 0 else 1, symbol_count))
    loaded = np.empty((count, BLOCK_DATES, width))
    spare, room = np.empty((5, width + 1)), np.empty(room_of(width), np.uint64)
    names = np.empty((10, max(width, quantiles) + 2), np.int32)
    edges = np.zeros((3, quantiles + 1), np.int32)
    label_order, label_starts = names[7], np.zeros(group_count + 1, np.int32)
    starts, sums, of_group = (
        np.zeros(group_count + 1, np.int32),
        np.zeros((3, quantiles + 1)),
        np.zeros((9, group_count)),
    )
    rank_sums = np.zeros((4, group_count), np.int64)
    for d in range(begin, last):
        a, b = offsets[d], offsets[d + 1]
        size, row = b - a, d % ring
        if (d - begin) % BLOCK_DATES == 0:
            for f in range(count):
                load(columns[f], rows, symbols, symbol_count, offsets, d, loaded[f])
        for f in range(count):
            x, ranks, buckets = loaded[f, (d - begin) % BLOCK_DATES, :size], names[0, :size], names[1, :size]
            order = names[9, :size]
            n = old_counts[f, row] = rank_names(x, spare[1, :size], room, ranks, order)
            if group_count > 0:
                order_by_group(order[:n], groups[a:b], names[6], starts)
            if neutral:
                fill_buckets_by_group(ranks, names[6], starts, quantiles, buckets)
                order_by_quantile(buckets, edges[1], order, edges[0])
            else:
                fill_edges(ranks, order, n, edges[0])
                fill_buckets(order, edges[0], buckets)
            old_squares[f, row] = remember(ranks, buckets, symbols[a:b], n, old_ranks[f, row], old_buckets[f, row])
            if weights.size > 0:
                remember_weights(weights[a:b], buckets, symbols[a:b], sums, old_weights[f, row])
            if d < first:
                continue
            present[f, 0, d] = n
            present[f, 1, d] = count_entered(ranks, entered[a:b])
            for q in range(quantiles):
                sizes[f, d, q] = edges[0, q + 1] - edges[0, q]
            u = spare[4, :n]
            centre = gather(x, order[:n], u)
            square, away = spread(u, centre)
            for h in range(horizons.size):
                y, y_ranks, m = labels[h, a:b], label_ranks[h, a:b], int(label_counts[h, d])
                universe = np.nan
                if neutral:
                    y, y_ranks = spare[3, :size], names[8, :size]
                    universe = demean(ranks, labels[h, a:b], groups[a:b], of_group, y)
                    m = rank_names(y, spare[1, :size], room, y_ranks, names[5])
                both = count_both(ranks, y_ranks) if n < size or m < size else size
                v, w, ends = spare[1, :both], u, edges[0]
                centre_x, xx, deviations = centre, square, away
                if both == n:
                    centre_y = gather(y, order[:n], v)
                else:
                    w, ends = spare[2, :both], edges[2]
                    gather_labelled(x, y, y_ranks, order, edges[0], spare[2], spare[1], ends)
                    centre_x, centre_y = mean(w), mean(v)
                    xx, deviations = spread(w, centre_x)
                used[f, h, d] = both
                numbers[f, h, UNIVERSE, d] = centre_y if np.isfinite(centre_y) else np.nan
                xy, yy = quantile_returns(w, v, ends, centre_x, centre_y, by_quantile[f, h], d)
                if weights.size > 0:
                    weighted_returns(y, y_ranks, buckets, weights[a:b], sums, by_quantile[f, h], d)
                left, right = ranks, y_ranks
                if both < n:
                    left = names[2, :size]
                    restrict(ranks, y_ranks, n, both, names[4], left)
                if both < m:
                    right = names[3, :size]
                    if both == n and size - n <= FEW_REMOVED:
                        remove_absent(y_ranks, ranks, order[n:], names[4], right)
                    else:
                        restrict(y_ranks, ranks, m, both, names[4], right)
                rank_ic = correlate_ranks(left, right, both)
                numbers[f, h, RANK_IC, d] = rank_ic
                numbers[f, h, IC, d] = correlate(w, v, xx, yy, xy) if rank_ic == rank_ic else np.nan
                earned = xy / deviations
                numbers[f, h, PORTFOLIO, d] = earned if np.isfinite(earned) and varied(left) else np.nan
                if neutral:
                    numbers[f, h, UNIVERSE, d] = universe
                    numbers[f, h, PORTFOLIO, d] = neutral_portfolio(x, ranks, y, y_ranks, groups[a:b], of_group)
                if group_used.shape[2] > 0:
                    order_by_rank(y_ranks, m, names[4], names[5])
                    order_by_group(names[5, :m], groups[a:b], label_order, label_starts)
                    restrict_by_group(ranks, y_ranks, names[6], starts, names[2])
                    restrict_by_group(y_ranks, ranks, label_order, label_starts, names[3])
                    relate_groups(
                        x,
                        y,
                        names[2, :size],
                        names[3, :size],
                        groups[a:b],
                        of_group,
                        rank_sums,
                        group_used[f, h],
                        by_group[f, h],
                        d,
                    )
                before = d - horizons[h]
                if before >= 0:
                    then = before % ring
                    numbers[f, h, AUTOCORRELATION, d] = autocorrelation(
                        old_ranks[f, row],
                        old_ranks[f, then],
                        old_counts[f, row],
                        old_counts[f, then],
                        old_squares[f, row],
                        old_squares[f, then],
                    )
                    count_kept(old_buckets[f, row], old_buckets[f, then], kept[f, h, d])
                if weights.size > 0:
                    then = before % ring if before >= 0 else -1
                    trade(old_buckets[f], old_weights[f], row, then, by_quantile[f, h, TRADED, d])
