"""The compiled pass over dates: what one factor shows on every date, for every horizon.

Sections hold the cells that count: the names of each date that are in the universe and have a group where one is
asked for. Labels are ranked once for all factors (`rank_labels`), and each factor once on every date. Where a name has
only one of the two, ranks among the names that have both come from counting (`section.restrict`).

A ring holds the ranks and quantiles of as many dates as the longest horizon, for turnover and autocorrelation.
"""

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
    count_sizes,
    gather_labelled,
    mean,
    order_by_quantile,
    order_by_rank,
    quantile_returns,
    spread,
    varied,
    weighted_returns,
)
from factorloom.engine.research.evaluation.loop.section import (
    FEW_REMOVED,
    Ints,
    are_distinct,
    correlate,
    correlate_ranks,
    fill_buckets,
    fill_buckets_by_group,
    fill_buckets_of_distinct,
    order_by_group,
    rank_names,
    remove_absent,
    restrict,
    restrict_by_group,
)
from factorloom.engine.runtime.jit import COUNTS, NUMBERS, loop

__all__ = ["measure", "rank_labels"]

FEW_QUANTILES = 20
"""Up to so many quantiles, a pass for each is the fastest way to count."""

CODES = types.Array(types.int32, 1, "C", readonly=True)


def _written(kind: types.Number, dimensions: int) -> types.Array:
    return types.Array(kind, dimensions, "C")


INTS1, INTS2, INTS3 = (_written(types.int32, each) for each in (1, 2, 3))
FLOATS2, FLOATS3, FLOATS4 = (_written(types.float64, each) for each in (2, 3, 4))


@loop(types.void(FLOATS2, COUNTS, types.int64, types.int64, types.int64, INTS2, INTS2))
def rank_labels(labels: Array, offsets: Index, horizon: int, first: int, last: int, ranks: Ints, present: Ints) -> None:
    """Doubled ranks of the labels of one horizon on some dates, and how many are present."""
    width = 0
    for d in range(first, last):
        width = max(width, offsets[d + 1] - offsets[d])
    scratch = np.empty(width)
    for d in range(first, last):
        a, b = offsets[d], offsets[d + 1]
        present[horizon, d] = rank_names(labels[horizon, a:b], scratch[: b - a], ranks[horizon, a:b])


@loop(
    types.void(
        NUMBERS,
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
        INTS2,
        INTS2,
        INTS2,
        INTS3,
        FLOATS3,
        FLOATS4,
        INTS3,
        FLOATS4,
    )
)
def measure(
    column: Array,
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
    """Everything about one factor on the dates from `first` to before `last`.

    Reads the factor's column by row of the bars; by cell `rows`, `symbols`, `groups` (empty: none), `weights` (empty:
    equal), `entered`; `labels` and their ranks by (horizon, cell). Writes `present` (present, present and entered) by
    (2, date), `sizes` by (date, quantile), `used` by (horizon, date), `kept` (names of a quantile that were in it a
    horizon before) by (horizon, date, quantile), `numbers` by (horizon, number, date), `by_quantile` by (horizon,
    number, date, quantile), `group_used` and `by_group` by (horizon, group, date).
    """
    width = 0
    for d in range(offsets.size - 1):
        width = max(width, offsets[d + 1] - offsets[d])
    longest = min(horizons.max(), offsets.size - 1)
    begin, ring = max(first - longest, 0), longest + 1
    old_ranks = np.zeros((ring, symbol_count), np.int32)
    old_buckets = np.zeros((ring, symbol_count), np.int32)
    old_counts, old_squares = np.zeros(ring, np.int64), np.zeros(ring, np.int64)
    old_weights = np.zeros((ring if weights.size > 0 else 1, symbol_count))
    spare = np.empty((5, width + 1))
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
        x, ranks, buckets = spare[0, :size], names[0, :size], names[1, :size]
        for k in range(np.uint64(size)):
            x[k] = column[rows[np.uint64(a) + k]]
        n = old_counts[row] = rank_names(x, spare[1, :size], ranks)
        if group_count > 0:
            order_by_group(ranks, groups[a:b], n, names[4], names[5], names[6], starts)
        distinct = not neutral and quantiles <= FEW_QUANTILES and are_distinct(ranks, n)
        if neutral:
            fill_buckets_by_group(ranks, names[6], starts, quantiles, buckets)
        elif distinct:
            fill_buckets_of_distinct(ranks, n, quantiles, buckets)
        else:
            fill_buckets(ranks, n, quantiles, names[4], buckets)
        old_squares[row] = remember(ranks, buckets, symbols[a:b], n, old_ranks[row], old_buckets[row])
        if weights.size > 0:
            remember_weights(weights[a:b], buckets, symbols[a:b], sums, old_weights[row])
        if d < first:
            continue
        present[0, d] = n
        present[1, d] = count_sizes(buckets, entered[a:b], sizes[d])
        order, u = names[9, :n], spare[4, :n]
        if distinct:
            order_by_rank(ranks, sizes[d], n, names[9], edges)
        else:
            order_by_quantile(buckets, sizes[d], names[9], edges)
        for k in range(np.uint64(n)):
            u[k] = x[np.uint64(order[k])]
        centre = mean(u)
        square, away = spread(u, centre)
        for h in range(horizons.size):
            y, y_ranks, m = labels[h, a:b], label_ranks[h, a:b], int(label_counts[h, d])
            universe = np.nan
            if neutral:
                y, y_ranks = spare[3, :size], names[8, :size]
                universe = demean(ranks, labels[h, a:b], groups[a:b], of_group, y)
                m = rank_names(y, spare[1, :size], y_ranks)
            both = count_both(ranks, y_ranks) if n < size or m < size else size
            v, w, ends = spare[1, :both], u, edges[0]
            centre_x, xx, deviations = centre, square, away
            if both == n:
                for k in range(np.uint64(n)):
                    v[k] = y[np.uint64(order[k])]
            else:
                w, ends = spare[2, :both], edges[2]
                gather_labelled(x, y, y_ranks, order, edges[0], spare[2], spare[1], ends)
                centre_x = mean(w)
                xx, deviations = spread(w, centre_x)
            used[h, d] = both
            centre_y = mean(v)
            numbers[h, UNIVERSE, d] = centre_y if np.isfinite(centre_y) else np.nan
            xy, yy = quantile_returns(w, v, ends, centre_x, centre_y, by_quantile[h], d)
            if weights.size > 0:
                weighted_returns(y, y_ranks, buckets, weights[a:b], sums, by_quantile[h], d)
            left, right = ranks, y_ranks
            if both < n:
                left = names[2, :size]
                restrict(ranks, y_ranks, n, both, names[4], left)
            if both < m:
                right = names[3, :size]
                if both == n and size - n <= FEW_REMOVED:
                    remove_absent(y_ranks, ranks, names[9, n:size], names[4], right)
                else:
                    restrict(y_ranks, ranks, m, both, names[4], right)
            rank_ic = correlate_ranks(left, right, both)
            numbers[h, RANK_IC, d] = rank_ic
            numbers[h, IC, d] = correlate(w, v, xx, yy, xy) if rank_ic == rank_ic else np.nan
            earned = xy / deviations
            numbers[h, PORTFOLIO, d] = earned if np.isfinite(earned) and varied(left) else np.nan
            if neutral:
                numbers[h, UNIVERSE, d] = universe
                numbers[h, PORTFOLIO, d] = neutral_portfolio(x, ranks, y, y_ranks, groups[a:b], of_group)
            if group_used.shape[1] > 0:
                order_by_group(y_ranks, groups[a:b], m, names[4], names[5], label_order, label_starts)
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
                    group_used[h],
                    by_group[h],
                    d,
                )
            before = d - horizons[h]
            if before >= 0:
                then = before % ring
                numbers[h, AUTOCORRELATION, d] = autocorrelation(
                    old_ranks[row],
                    old_ranks[then],
                    old_counts[row],
                    old_counts[then],
                    old_squares[row],
                    old_squares[then],
                )
                count_kept(old_buckets[row], old_buckets[then], kept[h, d])
            if weights.size > 0:
                then = before % ring if before >= 0 else -1
                trade(old_buckets, old_weights, row, then, by_quantile[h, TRADED, d])
