"""Loops on two dates: who stayed in a quantile, how ranks moved, and what was traded."""

from __future__ import annotations

import numpy as np

from factorloom.engine.bars.layout import Array
from factorloom.engine.research.evaluation.loop.section import FEWEST, Ints, bounded

__all__ = ["autocorrelation", "count_kept", "remember", "remember_weights", "trade"]


def remember(ranks: Ints, buckets: Ints, symbols: Ints, present: int, old_ranks: Ints, old_buckets: Ints) -> int:
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
    return int(squares) - present * (present + 1) * (present + 1)


def remember_weights(weights: Array, buckets: Ints, symbols: Ints, sums: Array, old_weights: Array) -> None:
    """Weights as shares of the sum of their quantile."""
    old_weights[:] = 0.0
    sums[0, :] = 0.0
    for k in range(weights.size):
        sums[0, buckets[k]] += weights[k]
    for k in range(weights.size):
        if buckets[k] > 0 and sums[0, buckets[k]] > 0:
            old_weights[symbols[k]] = weights[k] / sums[0, buckets[k]]


def autocorrelation(now: Ints, then: Ints, n: int, m: int, now_squares: int, then_squares: int) -> float:
    """Correlation of the ranks on two dates, each among all names of its date, over the names on both."""
    both, product = np.int64(0), np.int64(0)
    for k in range(np.uint64(now.size)):
        both += np.int64((now[k] > 0) & (then[k] > 0))
        product += np.int64(now[k]) * np.int64(then[k])
    if both < n or both < m:
        uu, vv, uv = moments_of_both(now, then, n, m, int(both))
    else:
        uu, vv, uv = float(now_squares), float(then_squares), float(product - n * (n + 1) * (m + 1))
    if both < FEWEST or not (uu > 0.0 and vv > 0.0):
        return np.nan
    return bounded(uv / (np.sqrt(uu) * np.sqrt(vv)))


def moments_of_both(now: Ints, then: Ints, n: int, m: int, both: int) -> tuple[float, float, float]:
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


def count_kept(now: Ints, then: Ints, kept: Ints) -> None:
    """Names of each quantile that were in it then: a pass for each, many names at a time, without branches."""
    for q in range(kept.size):
        bucket, count = np.int32(q + 1), np.int64(0)
        for k in range(np.uint64(now.size)):
            count += np.int64((now[k] == bucket) & (then[k] == bucket))
        kept[q] = count


def trade(buckets: Ints, shares: Array, row: int, then: int, traded: Array) -> None:
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
