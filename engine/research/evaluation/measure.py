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
from factorloom.engine.research.evaluation.section import (
    FEW_REMOVED,
    FEWEST,
    Ints,
    correlate,
    correlate_ranks,
    correlation,
    fill_buckets,
    fill_buckets_by_group,
    order_by_group,
    rank_names,
    remove_absent,
    restrict,
    restrict_by_group,
)
from factorloom.engine.runtime.jit import COUNTS, NUMBERS, loop

__all__ = [
    "AUTOCORRELATION",
    "COUNT",
    "ERROR",
    "IC",
    "MEAN",
    "NUMBERS_BY_DATE",
    "NUMBERS_BY_QUANTILE",
    "PORTFOLIO",
    "RANK_IC",
    "TRADED",
    "UNIVERSE",
    "measure",
    "rank_labels",
]

IC, RANK_IC, PORTFOLIO, UNIVERSE, AUTOCORRELATION, NUMBERS_BY_DATE = 0, 1, 2, 3, 4, 5
"""Places of the numbers of a date."""

MEAN, ERROR, COUNT, TRADED, NUMBERS_BY_QUANTILE = 0, 1, 2, 3, 4
"""Places of the numbers of a quantile."""

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
        if neutral:
            fill_buckets_by_group(ranks, names[6], starts, quantiles, buckets)
        else:
            fill_buckets(ranks, n, quantiles, names[4], buckets)
        old_squares[row] = _remember(ranks, buckets, symbols[a:b], n, old_ranks[row], old_buckets[row])
        if weights.size > 0:
            _remember_weights(weights[a:b], buckets, symbols[a:b], sums, old_weights[row])
        if d < first:
            continue
        present[0, d] = n
        present[1, d] = _count_sizes(buckets, entered[a:b], sizes[d])
        order, u = names[9, :n], spare[4, :n]
        _order_by_quantile(buckets, sizes[d], names[9], edges)
        for k in range(np.uint64(n)):
            u[k] = x[np.uint64(order[k])]
        centre = _mean(u)
        square, away = _spread(u, centre)
        for h in range(horizons.size):
            y, y_ranks, m = labels[h, a:b], label_ranks[h, a:b], np.int64(label_counts[h, d])
            universe = np.nan
            if neutral:
                y, y_ranks = spare[3, :size], names[8, :size]
                universe = _demean(ranks, labels[h, a:b], groups[a:b], of_group, y)
                m = rank_names(y, spare[1, :size], y_ranks)
            both = _count_both(ranks, y_ranks) if n < size or m < size else size
            v, w, ends = spare[1, :both], u, edges[0]
            centre_x, xx, deviations = centre, square, away
            if both == n:
                for k in range(np.uint64(n)):
                    v[k] = y[np.uint64(order[k])]
            else:
                w, ends = spare[2, :both], edges[2]
                _gather(x, y, y_ranks, order, edges[0], spare[2], spare[1], ends)
                centre_x = _mean(w)
                xx, deviations = _spread(w, centre_x)
            used[h, d] = both
            centre_y = _mean(v)
            numbers[h, UNIVERSE, d] = centre_y if np.isfinite(centre_y) else np.nan
            xy, yy = _returns(w, v, ends, centre_x, centre_y, by_quantile[h], d)
            if weights.size > 0:
                _weighted_returns(y, y_ranks, buckets, weights[a:b], sums, by_quantile[h], d)
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
            numbers[h, PORTFOLIO, d] = earned if np.isfinite(earned) and _varied(left) else np.nan
            if neutral:
                numbers[h, UNIVERSE, d] = universe
                numbers[h, PORTFOLIO, d] = _neutral_portfolio(x, ranks, y, y_ranks, groups[a:b], of_group)
            if group_used.shape[1] > 0:
                order_by_group(y_ranks, groups[a:b], m, names[4], names[5], label_order, label_starts)
                restrict_by_group(ranks, y_ranks, names[6], starts, names[2])
                restrict_by_group(y_ranks, ranks, label_order, label_starts, names[3])
                _relate_groups(
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
                numbers[h, AUTOCORRELATION, d] = _autocorrelation(
                    old_ranks[row],
                    old_ranks[then],
                    old_counts[row],
                    old_counts[then],
                    old_squares[row],
                    old_squares[then],
                )
                _count_kept(old_buckets[row], old_buckets[then], kept[h, d])
            if weights.size > 0:
                then = before % ring if before >= 0 else -1
                _trade(old_buckets, old_weights, row, then, by_quantile[h, TRADED, d])


def _remember(ranks: Ints, buckets: Ints, symbols: Ints, present: int, old_ranks: Ints, old_buckets: Ints) -> int:
    """Keep ranks and quantiles by symbol; returns the sum of squared deviations of the ranks."""
    old_ranks[:] = 0
    old_buckets[:] = 0
    squares = np.int64(0)
    for k in range(np.uint64(ranks.size)):
        symbol = np.uint64(symbols[k])
        old_ranks[symbol] = ranks[k]
        old_buckets[symbol] = buckets[k]
    for k in range(np.uint64(ranks.size)):
        squares += np.int64(ranks[k]) * np.int64(ranks[k])
    return squares - present * (present + 1) * (present + 1)


def _remember_weights(weights: Array, buckets: Ints, symbols: Ints, sums: Array, old_weights: Array) -> None:
    """Weights as shares of the sum of their quantile."""
    old_weights[:] = 0.0
    sums[0, :] = 0.0
    for k in range(weights.size):
        sums[0, buckets[k]] += weights[k]
    for k in range(weights.size):
        if buckets[k] > 0 and sums[0, buckets[k]] > 0:
            old_weights[symbols[k]] = weights[k] / sums[0, buckets[k]]


def _count_sizes(buckets: Ints, entered: Ints, sizes: Ints) -> int:
    """Names in each quantile; returns how many of them have an entry price."""
    priced = np.int64(0)
    for k in range(np.uint64(buckets.size)):
        priced += np.int64((entered[k] > 0) & (buckets[k] > 0))
    for q in range(sizes.size):
        bucket, count = np.int32(q + 1), np.int64(0)
        for k in range(np.uint64(buckets.size)):
            count += np.int64(buckets[k] == bucket)
        sizes[q] = count
    return priced


def _order_by_quantile(buckets: Ints, sizes: Ints, order: Ints, edges: Ints) -> None:
    """Names by quantile, those without one last; `edges[0]` is where each quantile starts, and the last one ends."""
    for q in range(sizes.size):
        edges[0, q + 1] = edges[0, q] + sizes[q]
        edges[1, q + 1] = edges[0, q]
    edges[1, 0] = edges[0, sizes.size]
    for k in range(np.uint64(buckets.size)):
        bucket = np.uint64(buckets[k])
        place = edges[1, bucket]
        order[np.uint64(place)] = k
        edges[1, bucket] = place + 1


def _count_both(ranks: Ints, y_ranks: Ints) -> int:
    both = np.int64(0)
    for k in range(np.uint64(ranks.size)):
        both += np.int64((ranks[k] > 0) & (y_ranks[k] > 0))
    return both


def _gather(x: Array, y: Array, y_ranks: Ints, order: Ints, edges: Ints, u: Array, v: Array, ends: Ints) -> None:
    """The names that have a label too, by quantile, with new edges."""
    count = np.uint64(0)
    for q in range(edges.size - 1):
        ends[q] = count
        for i in range(np.uint64(edges[q]), np.uint64(edges[q + 1])):
            k = np.uint64(order[i])
            u[count] = x[k]
            v[count] = y[k]
            count += np.uint64(y_ranks[k] > 0)
    ends[edges.size - 1] = count


def _varied(ranks: Ints) -> bool:
    """Whether not all names tie."""
    first = np.int32(0)
    for k in range(ranks.size):
        if ranks[k] > 0:
            if first > 0 and ranks[k] != first:
                return True
            first = ranks[k]
    return False


def _mean(x: Array) -> float:
    """The mean, NaN where there are no values; four sums at a time."""
    whole, k = np.uint64(x.size // 4 * 4), np.uint64(0)
    a = b = c = d = 0.0
    while k < whole:
        a += x[k]
        b += x[k + np.uint64(1)]
        c += x[k + np.uint64(2)]
        d += x[k + np.uint64(3)]
        k += np.uint64(4)
    while k < np.uint64(x.size):
        a += x[k]
        k += np.uint64(1)
    return ((a + b) + (c + d)) / x.size


def _spread(x: Array, centre: float) -> tuple[float, float]:
    """Sums of squared and of absolute deviations."""
    whole, k = np.uint64(x.size // 2 * 2), np.uint64(0)
    a = b = c = d = 0.0
    while k < whole:
        u, v = x[k] - centre, x[k + np.uint64(1)] - centre
        a += u * u
        b += v * v
        c += abs(u)
        d += abs(v)
        k += np.uint64(2)
    if k < np.uint64(x.size):
        u = x[k] - centre
        a += u * u
        c += abs(u)
    return a + b, c + d


def _returns(
    x: Array, y: Array, edges: Ints, centre_x: float, centre_y: float, by_quantile: Array, d: int
) -> tuple[float, float]:
    """Mean and standard error of each quantile; returns sums of products and of squares of deviations."""
    products, squares = 0.0, 0.0
    for q in range(edges.size - 1):
        k, last = np.uint64(edges[q]), np.uint64(edges[q + 1])
        count = np.float64(edges[q + 1] - edges[q])
        s0 = s1 = b0 = b1 = c0 = c1 = 0.0
        while k + np.uint64(1) < last:
            u0, v0 = x[k] - centre_x, y[k] - centre_y
            u1, v1 = x[k + np.uint64(1)] - centre_x, y[k + np.uint64(1)] - centre_y
            s0 += v0
            s1 += v1
            b0 += v0 * v0
            b1 += v1 * v1
            c0 += u0 * v0
            c1 += u1 * v1
            k += np.uint64(2)
        if k < last:
            u0, v0 = x[k] - centre_x, y[k] - centre_y
            s0 += v0
            b0 += v0 * v0
            c0 += u0 * v0
        total, square = s0 + s1, b0 + b1
        products += c0 + c1
        squares += square
        by_quantile[MEAN, d, q] = centre_y + total / count if count > 0 else np.nan
        variance = max(square - total * total / count, 0.0) / (count - 1.0) if count > 1 else np.nan
        by_quantile[ERROR, d, q] = np.sqrt(variance / count) if count > 1 else np.nan
        by_quantile[COUNT, d, q] = count
    return products, squares


def _weighted_returns(
    y: Array, y_ranks: Ints, buckets: Ints, weights: Array, sums: Array, by_quantile: Array, d: int
) -> None:
    sums[:] = 0.0
    for k in range(y.size):
        if buckets[k] > 0 and y_ranks[k] > 0:
            sums[0, buckets[k]] += weights[k]
            sums[1, buckets[k]] += weights[k] * y[k]
            sums[2, buckets[k]] += 1.0
    for q in range(by_quantile.shape[2]):
        mean = sums[1, q + 1] / sums[0, q + 1]
        by_quantile[MEAN, d, q] = mean if np.isfinite(mean) else np.nan
        by_quantile[ERROR, d, q] = np.nan
        by_quantile[COUNT, d, q] = sums[2, q + 1]


# --- groups ---------------------------------------------------------------------------------------------------------


def _demean(ranks: Ints, labels: Array, groups: Ints, sums: Array, out: Array) -> float:
    """Labels less the mean of the group's names that have factor and label; returns the mean of all of these."""
    sums[:2] = 0.0
    count, total = 0, 0.0
    for k in range(ranks.size):
        if ranks[k] > 0 and labels[k] == labels[k]:
            sums[0, groups[k]] += 1.0
            sums[1, groups[k]] += labels[k]
            count += 1
            total += labels[k]
    for k in range(ranks.size):
        out[k] = labels[k] - sums[1, groups[k]] / sums[0, groups[k]] if ranks[k] > 0 else np.nan
    return total / count


def _neutral_portfolio(x: Array, ranks: Ints, y: Array, y_ranks: Ints, groups: Ints, sums: Array) -> float:
    """Return of deviations from the group's mean, groups weighing the same; names with a factor and a label."""
    sums[:5] = 0.0
    for k in range(x.size):
        if ranks[k] > 0 and y_ranks[k] > 0:
            g = groups[k]
            sums[0, g] += 1.0
            sums[1, g] += x[k]
            sums[4, g] = max(sums[4, g], abs(x[k]))
    for k in range(x.size):
        if ranks[k] > 0 and y_ranks[k] > 0:
            g = groups[k]
            away = x[k] - sums[1, g] / sums[0, g]
            sums[2, g] += abs(away)
            sums[3, g] += away * y[k]
    total, count = 0.0, 0
    for g in range(sums.shape[1]):
        if sums[2, g] > 1e-12 * sums[0, g] * sums[4, g]:
            total += sums[3, g] / sums[2, g]
            count += 1
    return total / count if count > 0 and np.isfinite(total) else np.nan


def _relate_groups(
    x: Array,
    y: Array,
    a: Ints,
    b: Ints,
    groups: Ints,
    sums: Array,
    rank_sums: Index,
    used: Ints,
    by_group: Array,
    d: int,
) -> None:
    """Both correlations in each group."""
    sums[:] = 0.0
    rank_sums[:] = 0
    for k in range(x.size):
        if a[k] > 0:
            g, u, v = groups[k], np.int64(a[k]), np.int64(b[k])
            rank_sums[0, g] += 1
            rank_sums[1, g] += u * u
            rank_sums[2, g] += v * v
            rank_sums[3, g] += u * v
            sums[0, g] += x[k]
            sums[1, g] += y[k]
            sums[2, g] = max(sums[2, g], abs(x[k]))
            sums[3, g] = max(sums[3, g], abs(y[k]))
    for k in range(x.size):
        if a[k] > 0:
            g = groups[k]
            n = rank_sums[0, g]
            u = (x[k] - sums[0, g] / n) / sums[2, g]
            v = (y[k] - sums[1, g] / n) / sums[3, g]
            sums[4, g] += u * u
            sums[5, g] += v * v
            sums[6, g] += u * v
    for g in range(used.shape[0]):
        used[g, d] = rank_sums[0, g]
        rank_ic = correlation(rank_sums[0, g], rank_sums[1, g], rank_sums[2, g], rank_sums[3, g])
        value = sums[6, g] / (np.sqrt(sums[4, g]) * np.sqrt(sums[5, g]))
        by_group[0, g, d] = min(max(value, -1.0), 1.0) if rank_ic == rank_ic and np.isfinite(value) else np.nan
        by_group[1, g, d] = rank_ic


# --- earlier dates --------------------------------------------------------------------------------------------------


def _autocorrelation(now: Ints, then: Ints, n: int, m: int, now_squares: int, then_squares: int) -> float:
    """Correlation of the ranks on two dates, each among all names of its date, over the names on both."""
    both, product = np.int64(0), np.int64(0)
    for k in range(np.uint64(now.size)):
        both += np.int64((now[k] > 0) & (then[k] > 0))
        product += np.int64(now[k]) * np.int64(then[k])
    uu, vv, uv = np.float64(now_squares), np.float64(then_squares), np.float64(product - n * (n + 1) * (m + 1))
    if both < n or both < m:
        uu, vv, uv = _moments_of_both(now, then, n, m, both)
    if both < FEWEST or not (uu > 0.0 and vv > 0.0):
        return np.nan
    return min(max(uv / (np.sqrt(uu) * np.sqrt(vv)), -1.0), 1.0)


def _moments_of_both(now: Ints, then: Ints, n: int, m: int, both: int) -> tuple[float, float, float]:
    """Sums of squares and products of deviations over the names on both dates; 0 where they are only rounding."""
    p, q, pp, qq, pq = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for k in range(np.uint64(now.size)):
        is_there = (now[k] > 0) & (then[k] > 0)
        u = np.int32(now[k] - n - 1) if is_there else np.int32(0)
        v = np.int32(then[k] - m - 1) if is_there else np.int32(0)
        p += np.int64(u)
        q += np.int64(v)
        pp += np.int64(u) * np.int64(u)
        qq += np.int64(v) * np.int64(v)
        pq += np.int64(u) * np.int64(v)
    size, a, b = np.float64(both), np.float64(p), np.float64(q)
    uu, vv = pp - a * (a / size), qq - b * (b / size)
    return uu if uu > 1e-12 * pp else 0.0, vv if vv > 1e-12 * qq else 0.0, pq - a * (b / size)


def _count_kept(now: Ints, then: Ints, kept: Ints) -> None:
    """Names of each quantile that were in it then: a pass for each, many names at a time, without branches."""
    for q in range(kept.size):
        bucket, count = np.int32(q + 1), np.int64(0)
        for k in range(np.uint64(now.size)):
            count += np.int64((now[k] == bucket) & (then[k] == bucket))
        kept[q] = count


def _trade(buckets: Ints, shares: Array, row: int, then: int, traded: Array) -> None:
    """Sum of the changes of weights in each quantile since a date before, or since nothing."""
    traded[:] = 0.0
    for k in range(buckets.shape[1]):
        now, share = buckets[row, k], shares[row, k]
        before, old = (buckets[then, k], shares[then, k]) if then >= 0 else (np.int32(0), 0.0)
        if now == before:
            if now > 0:
                traded[now - 1] += abs(share - old)
        else:
            if now > 0:
                traded[now - 1] += share
            if before > 0:
                traded[before - 1] += old
